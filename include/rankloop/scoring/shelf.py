"""Scores candidates and keeps the best of each buyer: one way for a whole day, for one list, and for a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.features.engine import Engine
from rankloop.features.join import EVERYBODY, Portion, join_features, joined_schema
from rankloop.ranking.model import Model, load_model
from rankloop.settings import Settings

OWN = pa.schema(
    {
        "account_id": pa.int64(),
        "product_id": pa.int64(),
        "base_score": pa.float64(),
        "base_rank": pa.int64(),
        "sources": pa.int64(),
    }
)
SCORED = pa.schema([*OWN, pa.field("score", pa.float64())])
RANKED = pa.schema([*SCORED, pa.field("rank", pa.int64())])


@dataclass(frozen=True)
class Scorer:
    """A model that travels: its files go to wherever rows are, and are read once in each process."""

    digest: str
    features: tuple[str, ...]
    files: Mapping[str, bytes] = field(compare=False, hash=False, repr=False)

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of `SCORED`, from rows that have the model's features."""
        model = _loaded(self)
        for batch in batches:
            own = [batch[name] for name in OWN.names]
            yield pa.RecordBatch.from_arrays([*own, pa.array(model.score(narrow(batch, self.features)))], schema=SCORED)


def scorer_of(model: Model, digest: str) -> Scorer:
    """A model made ready to travel."""
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    return Scorer(digest, model.features, files)


@lru_cache(maxsize=2)
def _loaded(scorer: Scorer) -> Model:
    with TemporaryDirectory() as folder:
        for name, content in scorer.files.items():
            (Path(folder) / name).write_bytes(content)
        return load_model(Path(folder))


def narrow(batch: pa.RecordBatch, features: tuple[str, ...]) -> pa.RecordBatch:
    """The features as training lists hold them, or the same product would get another score here than in evaluation."""
    return pa.RecordBatch.from_arrays(
        [pc.cast(batch[name], pa.float32(), safe=False) for name in features], names=list(features)
    )


def ranked(  # noqa: PLR0913  (as in `join_features`)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    scorer: Scorer | None,
    portion: Portion = EVERYBODY,
) -> pa.Table:
    """The best products of these buyers, those of a buyer together, best first; without a scorer by `base_score`."""
    if scorer is None:
        scored = _by_base_score(portion.take(engine, lists))
    else:
        joined = join_features(engine, settings, lists, as_of, portion=portion)
        rows = joined.mutate(base_rank=joined["context_base_rank"])
        kinds = joined_schema(pa.schema([]))
        takes = pa.schema([*OWN, *(kinds.field(name) for name in scorer.features)])
        scored = engine.through(rows, takes, scorer, SCORED)
    best = ibis.window(group_by="account_id", order_by=[ibis.desc("score"), "product_id"])
    placed = scored.mutate(rank=ibis.row_number().over(best) + 1)
    kept = engine.batches(placed.filter(placed["rank"] <= settings.scoring.top_n), RANKED).read_all()
    return kept.sort_by([("account_id", "ascending"), ("rank", "ascending")])


def _by_base_score(lists: ir.Table) -> ir.Table:
    best = ibis.window(group_by="account_id", order_by=[ibis.desc("base_score"), "product_id"])
    placed = lists.mutate(base_rank=ibis.row_number().over(best) + 1, score=lists["base_score"])
    return placed.select(*SCORED.names)
