"""Scores lists with a model, on whatever engine has their rows: for a batch, for a file, and for drift checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.protocol import Engine
from rankloop.features.joining.joiners import joiner_for
from rankloop.features.joining.protocol import JoinedRows, Matrix, Reduce, buyer_shards, unreduced
from rankloop.features.joining.store import FeatureStore
from rankloop.features.order import ranks_within_groups, sort_within_groups
from rankloop.ranking.model import Model, load_model
from rankloop.ranking.preprocessing import Learned, prepared

CANDIDATE_COLUMNS = pa.schema(
    {
        "account_id": pa.int64(),
        "product_id": pa.int64(),
        "base_score": pa.float64(),
        "sources": pa.int64(),
    }
)
BASE_RANK = "context_base_rank"
"""The feature that is a row's rank within its list by the shop's own score."""
LISTED = {"request_id": pa.string(), "account_id": pa.int64(), "product_id": pa.int64(), "base_score": pa.float64()}
"""The columns that the base ranking of a list is made from."""
RANKED = pa.schema([*CANDIDATE_COLUMNS, ("base_rank", pa.int64()), ("score", pa.float64()), ("rank", pa.int64())])


@dataclass(frozen=True)
class Scorer:
    """A model that can be sent to other processes: its files travel, and each process reads them once."""

    digest: str
    features: tuple[str, ...]
    files: Mapping[str, bytes] = field(compare=False, hash=False, repr=False)

    @property
    def model(self) -> Model:
        """The model, read once in each process."""
        return _loaded(self)


def build_scorer(model: Model, digest: str) -> Scorer:
    """Return a scorer with the files of this model."""
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


@lru_cache(maxsize=2)
def _transforms(scorer: Scorer) -> Mapping[str, Learned]:
    return {column.name: column for column in scorer.model.preprocessing.columns}


@dataclass(frozen=True)
class ScoreRows:
    """A joiner's task: scores joined rows with a model."""

    scorer: Scorer
    own: pa.Schema
    """Columns of the lists that are returned beside the scores."""

    @property
    def features(self) -> tuple[str, ...]:
        """Return the features that the model takes."""
        return self.scorer.features

    @property
    def columns(self) -> pa.Schema:
        """Return the lists' own columns, and the rank by the shop's own score."""
        return self.own.append(pa.field(BASE_RANK, pa.int64()))

    @property
    def result(self) -> pa.Schema:
        """Return the same with the score."""
        return _with_score(_with_rank(self.own))

    def transform(self, feature: str, values: Matrix) -> Matrix:
        """Clip and impute values of a feature as in training."""
        return prepared(values, _transforms(self.scorer)[feature])

    def start_thread(self) -> None:
        """Keep the ranker from starting threads of its own in each thread of the joiner."""
        self.scorer.model.ranker.use_single_thread()

    def run(self, joined: Iterator[JoinedRows]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with their scores."""
        for columns, blocks in joined:
            score = np.concatenate([np.empty(0), *(self.scorer.model.ranker.score(block) for block in blocks)])
            own = [columns[name].combine_chunks() for name in self.columns.names]
            yield pa.RecordBatch.from_arrays([*own, pa.array(score)], schema=self.result)


def _with_score(own: pa.Schema) -> pa.Schema:
    """Return these columns and the score."""
    return own.append(pa.field("score", pa.float64()))


def as_float32(batch: pa.RecordBatch, features: tuple[str, ...]) -> pa.RecordBatch:
    """Return the features as float32, as training lists hold them; with float64 a product would get another score."""
    return pa.RecordBatch.from_arrays(
        [pc.cast(batch[name], pa.float32(), safe=False) for name in features], names=list(features)
    )


def score_lists(  # noqa: PLR0913  (what is scored, with what, and what stands beside it)
    engine: Engine, store: FeatureStore, lists: ir.Table, as_of: date, *, scorer: Scorer | None, own: pa.Schema
) -> Iterator[pa.Table]:
    """Yield the score of each row of lists with its own columns and `base_rank`, some buyers at a time.

    Without a scorer the score is `base_score`.
    """
    return _scored(engine, store, lists, as_of, scorer, own, unreduced)


def top_products(  # noqa: PLR0913  (as in `score_lists`)
    engine: Engine, store: FeatureStore, lists: ir.Table, as_of: date, *, scorer: Scorer | None, top_n: int
) -> Iterator[pa.Table]:
    """Yield the best products of each buyer, those of a buyer together, best first; some buyers at a time."""
    return _scored(engine, store, lists, as_of, scorer, CANDIDATE_COLUMNS, partial(_top_per_buyer, top_n=top_n))


def _scored(  # noqa: PLR0913, PLR0917  (as in `score_lists`)
    engine: Engine,
    store: FeatureStore,
    lists: ir.Table,
    as_of: date,
    scorer: Scorer | None,
    own: pa.Schema,
    reduce: Reduce,
) -> Iterator[pa.Table]:
    if scorer:
        yield from joiner_for(engine, store, lists, as_of).map_rows(ScoreRows(scorer, own), reduce)
        return
    schema = pa.schema({**LISTED, **{column.name: column.type for column in own}})
    for shard in buyer_shards(engine, lists):
        yield reduce(_by_base_score(engine.batches(shard.take(engine, lists), schema).read_all(), own))


def _by_base_score(rows: pa.Table, own: pa.Schema) -> pa.Table:
    """Return the rows of whole lists as the shop ranks them itself."""
    rows = rows.combine_chunks()
    groups = np.asarray(rows["request_id"].combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)
    base, rank = rows["base_score"].to_numpy(), np.empty(rows.num_rows, np.int64)
    order = sort_within_groups(groups, base, rows["product_id"].to_numpy())
    rank[order] = ranks_within_groups(np.bincount(groups))
    columns = {**{name: rows[name] for name in own.names}, "base_rank": rank, "score": base}
    return pa.table(columns, schema=_with_score(_with_rank(own)))


def _with_rank(own: pa.Schema) -> pa.Schema:
    return own.append(pa.field("base_rank", pa.int64()))


def _top_per_buyer(rows: pa.Table, top_n: int) -> pa.Table:
    product, score, buyer = (rows[name].to_numpy() for name in ("product_id", "score", "account_id"))
    buyers, group = np.unique(buyer, return_inverse=True)
    order, rank = (
        sort_within_groups(group, score, product),
        ranks_within_groups(np.bincount(group, minlength=len(buyers))),
    )
    top = rows.take(pa.array(order[rank <= top_n]))
    return top.append_column("rank", pa.array(rank[rank <= top_n])).cast(RANKED)
