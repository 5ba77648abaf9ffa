"""Tables in memory, in which rows of lists find what they speak of by its number."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.features.declare import Ints, Lookup
from rankloop.features.duck import DuckEngine
from rankloop.features.history import AsOf


@dataclass(frozen=True)
class Held:
    """A table by whose keys rows are found; its last row, all empty, stands for what it does not know."""

    on: tuple[str, ...]
    """The columns of the rows that name the keys."""
    keys: tuple[pa.Array, ...]
    """The values that each key has."""
    index: pa.Array | None
    """By row the numbers of its keys' values, as one number; a single key needs none."""
    table: pa.Table

    def places(self, numbers: Sequence[Ints]) -> Ints:
        """Where the rows are whose keys have these numbers."""
        return numbers[0] if self.index is None else numbers_of(pa.array(_as_one(numbers, self.keys)), self.index)


def hold(engine: DuckEngine, lookup: Lookup, known: AsOf, wanted: Collection[str]) -> Held:
    """The columns that are wanted of what is looked up, in memory."""
    source = lookup.read(known)
    keys, kinds = list(lookup.on.values()), source.schema().to_pyarrow()
    columns = [pa.field(column.name, pa.type_for_alias(column.type)) for column in lookup.columns]
    columns = [field for field in columns if field.name in wanted]
    schema = pa.schema([*(pa.field(key, kinds.field(key).type) for key in keys), *columns])
    rows = engine.batches(source, schema).read_all()
    for key in keys:
        # Nothing equals an empty key in an engine's join.
        rows = rows.filter(pc.is_valid(rows[key]))
    rows = rows.combine_chunks()
    found = [_whole(rows[key]) for key in keys]
    table = pa.concat_tables([rows.select([f.name for f in columns]), pa.schema(columns).empty_table()])
    nothing = pa.table([pa.nulls(1, field.type) for field in columns], schema=pa.schema(columns))
    table = pa.concat_tables([table, nothing]).combine_chunks()
    if len(keys) == 1:
        return Held(tuple(lookup.on), tuple(found), None, table)
    values = tuple(pc.unique(key) for key in found)
    numbers = [numbers_of(key, among) for key, among in zip(found, values, strict=True)]
    return Held(tuple(lookup.on), values, pa.array(_as_one(numbers, values)), table)


def numbers_of(values: pa.Array | pa.ChunkedArray, among: pa.Array) -> Ints:
    """Each value's place among these, or how many these are where it is none of them."""
    found = pc.fill_null(pc.index_in(values, among, skip_nulls=True), len(among))
    return np.asarray(_whole(found).to_numpy(zero_copy_only=False), dtype=np.int64)


def _as_one(numbers: Sequence[Ints], keys: Sequence[pa.Array]) -> Ints:
    made = numbers[0]
    for number, values in zip(numbers[1:], keys[1:], strict=True):
        made = made * (len(values) + 1) + number
    return made


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
