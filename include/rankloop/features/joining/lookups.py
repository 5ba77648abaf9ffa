"""Tables in memory, in which rows of lists find what they speak of by its number."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.duck import DuckEngine
from rankloop.features.declarations import Ints, Lookup
from rankloop.features.history import AsOf

AT_MOST = 1 << 24
"""Whole numbers that get a place each, whether or not they stand in a row: 64 megabytes."""
MARKS, SPREAD = 1 << 21, 0x4F1BBCDCBFA53E0B
"""So many marks tell most numbers that stand in no row; a multiplication spreads numbers over them."""


class Rows:
    """The row in which each whole number stands, of those from 0 to below a bound."""

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
        """By number its row, or how many rows there are where it stands in none."""
        if self._table is not None:
            return self._table.take(numbers).astype(np.int64)
        found = np.full(len(numbers), self._many)
        likely = np.flatnonzero(self._marks.take(_spread(numbers)))
        asked = numbers[likely]
        place = np.minimum(np.searchsorted(self._sorted, asked), self._many - 1)
        there = self._sorted[place] == asked
        found[likely[there]] = self._order[place[there]]
        return found


class Pairs:
    """The rows in which pairs of numbers stand."""

    def __init__(self, first: Ints, second: Ints, most: tuple[int, int]) -> None:
        self._step = most[1] + 1
        self._rows = Rows(first * self._step + second, (most[0] + 1) * self._step)

    def of(self, first: Ints, second: Ints) -> Ints:
        """By pair its row, or how many rows there are; numbers may be as great as the greatest of all."""
        return self._rows.of(first * self._step + second)


class Ids:
    """The places of ids among those that are known."""

    def __init__(self, known: pa.ChunkedArray) -> None:
        self.known, self.many = known, len(known)
        ids = known.to_numpy()
        self._least = int(ids.min(initial=np.iinfo(np.int64).max))
        self._span = int(ids.max(initial=self._least)) - self._least + 1
        self._rows = Rows(ids - self._least, self._span + 1)

    def of(self, ids: pa.ChunkedArray) -> Ints:
        """By id its place, or how many are known where it is none of them."""
        above = ids.to_numpy() - self._least
        return self._rows.of(np.where((above >= 0) & (above < self._span), above, self._span))


@dataclass(frozen=True)
class Held:
    """A table by whose keys rows are found; its last row, all empty, stands for what it does not know."""

    on: tuple[str, ...]
    """The columns of the rows that name the keys."""
    keys: tuple[pa.Array, ...]
    """The values that each key has."""
    pairs: Pairs | None
    """The rows by the numbers of two keys' values; where there is one key, its values stand in the rows' order."""
    table: pa.Table

    def places(self, numbers: Sequence[Ints]) -> Ints:
        """Where the rows are whose keys have these numbers."""
        return self.pairs.of(*numbers) if self.pairs else numbers[0]


def read(engine: DuckEngine, lookup: Lookup, known: AsOf, wanted: Collection[str]) -> pa.Table:
    """The keys of what is looked up, and the columns of it that are wanted."""
    source = lookup.read(known)
    kinds = source.schema().to_pyarrow()
    keys = [pa.field(key, kinds.field(key).type) for key in lookup.on.values()]
    columns = [pa.field(column.name, pa.type_for_alias(column.type)) for column in lookup.columns]
    schema = pa.schema([*keys, *(field for field in columns if field.name in wanted)])
    return engine.batches(source, schema).read_all()


def hold(lookup: Lookup, rows: pa.Table) -> Held:
    """The same with its keys numbered."""
    keys = list(lookup.on.values())
    for key in keys:
        # Nothing equals an empty key in an engine's join.
        rows = rows.filter(pc.is_valid(rows[key])) if rows[key].null_count else rows
    rows = rows.combine_chunks()
    found = [_whole(rows[key]) for key in keys]
    columns = rows.drop_columns(keys)
    nothing = pa.table([pa.nulls(1, field.type) for field in columns.schema], schema=columns.schema)
    table = pa.concat_tables([columns, nothing]).combine_chunks()
    if len(keys) == 1:
        return Held(tuple(lookup.on), tuple(found), None, table)
    values = tuple(pc.unique(key) for key in found)
    first, second = (numbers_of(key, among) for key, among in zip(found, values, strict=True))
    return Held(tuple(lookup.on), values, Pairs(first, second, (len(values[0]), len(values[1]))), table)


def numbers_of(values: pa.Array | pa.ChunkedArray, among: pa.Array) -> Ints:
    """Each value's place among these, or how many these are where it is none of them."""
    found = pc.fill_null(pc.index_in(values, among, skip_nulls=True), len(among))
    return np.asarray(_whole(found).to_numpy(zero_copy_only=False), dtype=np.int64)


def _spread(numbers: Ints) -> Ints:
    return (numbers * SPREAD) >> 40 & (MARKS - 1)


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
