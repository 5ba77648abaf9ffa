"""Scores the lists of a training set, batch by batch."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from rankloop.contracts.lake import DAY
from rankloop.ranking.lists import LISTS_SCHEMA
from rankloop.ranking.model import Model
from rankloop.ranking.parts import SEGMENTS
from rankloop.ranking.scored import OURS
from rankloop.ranking.training_set import TrainingSet

EXAMPLE_ROWS = 5
SCORED_COLUMNS = ("request_id", "account_id", "product_id", "position", "label", "weight", "base_score", *SEGMENTS)
"""The columns of a scored list besides its scores; features are left out."""
SCORED_SCHEMA = pa.schema(
    [
        ("set", pa.string()),
        (DAY, pa.date32()),
        *(LISTS_SCHEMA.field(name) for name in SCORED_COLUMNS),
        (OURS, pa.float64()),
    ]
)


def score_sets(model: Model, data: TrainingSet, sets: Iterable[str], path: Path) -> None:
    """Write every list of these sets, with the model's scores, into a Parquet file."""
    with pq.ParquetWriter(path, SCORED_SCHEMA, compression="zstd") as sink:
        for name in sets:
            for day, batch in data.batches(name, [*SCORED_COLUMNS, *model.features]):
                columns = {
                    "set": pa.array([name] * batch.num_rows, pa.string()),
                    DAY: pa.array([day] * batch.num_rows, pa.date32()),
                    **{column: batch[column] for column in SCORED_COLUMNS},
                    OURS: pa.array(model.score(batch)),
                }
                sink.write_batch(pa.RecordBatch.from_pydict(columns, SCORED_SCHEMA))


def model_scores(model: Model, data: TrainingSet, sets: Iterable[str]) -> npt.NDArray[np.float64]:
    """Return a model's score of every row of these sets, in the order of `score_sets`."""
    batches: Iterator[pa.RecordBatch] = (batch for name in sets for _, batch in data.batches(name, model.features))
    return np.concatenate([model.score(batch) for batch in batches])
