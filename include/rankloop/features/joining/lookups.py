"""Indexes tables in memory, so that rows of lists find what they refer to by its number."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.protocol import Engine
from rankloop.features.declarations import Ints, Lookup
from rankloop.features.history import AsOfTables

AT_MOST = 1 << 24
"""Numbers that a direct table may span, whether or not each has a row: 64 megabytes."""
MARKS, SPREAD = 1 << 21, 0x4F1BBCDCBFA53E0B
"""So many marks rule out most numbers without a row; a multiplication spreads numbers over them."""


class RowIndex:
    """Maps each whole number below a bound to its row."""

    def __init__(self, numbers: Ints, bound: int) -> None:
        self._many = len(numbers)
        self._table: npt.NDArray[np.int32] | None = None
        if bound <= AT_MOST:
            self._table = np.full(bound, self._many, np.int32)
            self._table[numbers] = np.arange(self._many)
            return
        self._order = np.argsort(numbers)
        self._sorted = numbers[self._order]
        self._marks = np.zeros(MARKS, np.bool_)
        self._marks[_spread(numbers)] = True

    def of(self, numbers: Ints) -> Ints:
        """Return the row of each number, or how many rows there are if it has none."""
        if self._table is not None:
            return self._table.take(numbers).astype(np.int64)
        rows = np.full(len(numbers), self._many)
        likely = np.flatnonzero(self._marks.take(_spread(numbers)))
        asked = numbers[likely]
        place = np.minimum(np.searchsorted(self._sorted, asked), self._many - 1)
        there = self._sorted[place] == asked
        rows[likely[there]] = self._order[place[there]]
        return rows


class PairIndex:
    """Maps each pair of numbers to its row."""

    def __init__(self, first: Ints, second: Ints, most: tuple[int, int]) -> None:
        self._step = most[1] + 1
        self._rows = RowIndex(first * self._step + second, (most[0] + 1) * self._step)

    def of(self, first: Ints, second: Ints) -> Ints:
        """Return the row of each pair, or how many rows there are if it has none; each number may be its greatest."""
        return self._rows.of(first * self._step + second)


class IdIndex:
    """Maps ids to their places among those that are known."""

    def __init__(self, known: pa.ChunkedArray) -> None:
        self.known, self.many = known, len(known)
        ids = known.to_numpy()
        self._least = int(ids.min(initial=np.iinfo(np.int64).max))
        self._span = int(ids.max(initial=self._least)) - self._least + 1
        self._rows = RowIndex(ids - self._least, self._span + 1)

    def of(self, ids: pa.ChunkedArray) -> Ints:
        """Return the place of each id, or how many are known if it is none of them."""
        above = ids.to_numpy() - self._least
        return self._rows.of(np.where((above >= 0) & (above < self._span), above, self._span))


@dataclass(frozen=True)
class LookupTable:
    """A table indexed by its key; its last row, all null, stands for keys that it does not have."""

    on: tuple[str, ...]
    """The columns of the rows that hold the keys."""
    keys: tuple[pa.Array, ...]
    """The values of each key."""
    pairs: PairIndex | None
    """The rows by the numbers of two keys' values; a single key's values are in the rows' order."""
    table: pa.Table

    def places(self, numbers: Sequence[Ints]) -> Ints:
        """Return the rows whose keys have these numbers."""
        return self.pairs.of(*numbers) if self.pairs else numbers[0]


def read_lookup(engine: Engine, lookup: Lookup, known: AsOfTables, wanted: Collection[str]) -> pa.Table:
    """Return the keys of a lookup, and those of its columns that are wanted."""
    source = lookup.read(known)
    kinds = source.schema().to_pyarrow()
    keys = [pa.field(key, kinds.field(key).type) for key in lookup.on.values()]
    columns = [pa.field(column.name, pa.type_for_alias(column.type)) for column in lookup.columns]
    schema = pa.schema([*keys, *(field for field in columns if field.name in wanted)])
    return engine.batches(source, schema).read_all()


def index_table(lookup: Lookup, rows: pa.Table) -> LookupTable:
    """Index a lookup by its keys."""
    keys = list(lookup.on.values())
    for key in keys:
        # In an engine's join nothing equals a null key.
        rows = rows.filter(pc.is_valid(rows[key])) if rows[key].null_count else rows
    rows = rows.combine_chunks()
    key_columns = [_one_chunk(rows[key]) for key in keys]
    columns = rows.drop_columns(keys)
    nothing = pa.table([pa.nulls(1, field.type) for field in columns.schema], schema=columns.schema)
    table = pa.concat_tables([columns, nothing]).combine_chunks()
    if len(keys) == 1:
        return LookupTable(tuple(lookup.on), tuple(key_columns), None, table)
    values = tuple(pc.unique(key) for key in key_columns)
    first, second = (encode_ids(key, among) for key, among in zip(key_columns, values, strict=True))
    return LookupTable(tuple(lookup.on), values, PairIndex(first, second, (len(values[0]), len(values[1]))), table)


def encode_ids(values: pa.Array | pa.ChunkedArray, among: pa.Array) -> Ints:
    """Return the place of each value among these, or how many these are if it is none of them."""
    places = pc.fill_null(pc.index_in(values, among, skip_nulls=True), len(among))
    return np.asarray(_one_chunk(places).to_numpy(zero_copy_only=False), dtype=np.int64)


def _spread(numbers: Ints) -> Ints:
    return (numbers * SPREAD) >> 40 & (MARKS - 1)


def _one_chunk(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
