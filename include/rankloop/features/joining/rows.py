"""Rows of lists with their features as rankers take them, by the quickest way that an engine has."""

from collections.abc import Iterator, Sequence
from datetime import date

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.duck import DuckEngine
from rankloop.engine.protocol import Engine
from rankloop.features.joining.arrays import Gatherer, Matrix
from rankloop.features.joining.sets import EVERYBODY, Portion, join_features, joined_schema
from rankloop.settings import Settings


def rows_with(  # noqa: PLR0913  (as in `join_features`)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    features: Sequence[str],
    *,
    portion: Portion = EVERYBODY,
) -> Iterator[pa.RecordBatch]:
    """The rows of these buyers' lists, in no order: their own columns, and the features in 32 bits."""
    own = lists.schema().to_pyarrow()
    if isinstance(engine, DuckEngine):
        yield from _gathered(engine, settings, portion.take(engine, lists), own, as_of, features)
        return
    joined = join_features(engine, settings, lists, as_of, portion=portion).select(*own.names, *features)
    kinds = joined_schema(own)
    for batch in engine.batches(joined, pa.schema([*own, *(kinds.field(name) for name in features)])):
        found = [pc.cast(batch[name], pa.float32(), safe=False) for name in features]
        yield _batch(batch.select(own.names), features, found)


def _gathered(  # noqa: PLR0913, PLR0917  (likewise)
    engine: DuckEngine, settings: Settings, lists: ir.Table, own: pa.Schema, as_of: date, features: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    rows = engine.batches(lists, own).read_all().combine_chunks()
    if not rows.num_rows:
        return
    first = 0
    for block in Gatherer(engine, settings, lists, as_of, features, _as_they_are).join(rows).blocks():
        # The next block takes the place of this one, so its columns have to be copies.
        found = [pa.array(values, from_pandas=True) for values in block.T.copy()]
        [batch] = rows.slice(first, len(block)).to_batches()
        yield _batch(batch, features, found)
        first += len(block)


def _as_they_are(_: str, values: Matrix) -> Matrix:
    return values


def _batch(own: pa.RecordBatch, features: Sequence[str], found: Sequence[pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*own.columns, *found], names=[*own.schema.names, *features])
