"""Joins lists in this process for whoever scores many: what `join_features` gives, as blocks of a ranker's matrix.

Most features are not worked out but looked up, so they are the same numbers for every row that speaks of the same buyer
or product. They are cast and prepared once for each of those, and gathered by row number; DuckDB would carry a hundred
columns through every join. What has to be worked out row by row is worked out in NumPy. Families declare which is
which, and for the few features of the latter kind say it twice; a test holds both ways to the same bits.

In memory are the features of the lists' buyers and products, 4 bytes each, and a block of rows.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.features.catalogue import FAMILIES, FEATURES
from rankloop.features.declare import Feature, Floats, Ints, Lookup
from rankloop.features.duck import DuckEngine
from rankloop.features.history import AsOf
from rankloop.features.join import EVERYBODY, LIST_COLUMNS, known_as_of, refuse_unlike_lists
from rankloop.features.lookups import Held, hold, numbers_of
from rankloop.features.overlap import Overlaps
from rankloop.features.product import LOCATED
from rankloop.settings import Settings

Matrix = npt.NDArray[np.float32]
Prepare = Callable[[str, Matrix], Matrix]
"""What is done to a feature's values before a ranker sees them: to each value by itself."""
PAIR = ("account_id", "product_id")
RANK = "context_base_rank"
UNKNOWN = {feature.name: feature.unknown for feature in FEATURES if feature.unknown is not None}
BLOCK_ROWS, PIECE_ROWS = 1 << 16, 1 << 13
"""What is scored at a time, and what of it is gathered at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class Filling:
    """What goes into some columns of the matrix, and from where, row by row."""

    columns: slice | Ints
    values: Matrix
    places: Ints | None
    """By row, its place among the values; without, the values are those of the rows."""

    def of(self, first: int, rows: int) -> Matrix:
        """The values of so many rows."""
        if self.places is None:
            return self.values[first : first + rows]
        return self.values.take(self.places[first : first + rows], axis=0, mode="clip")


@dataclass(frozen=True)
class Joined:
    """Rows of lists joined with the features that a ranker takes."""

    rows: int
    base_rank: Ints
    features: int
    fillings: Sequence[Filling]
    pool: ThreadPoolExecutor

    def blocks(self) -> Iterator[Matrix]:
        """The rows in their order, a block at a time; the next block takes the place of the last."""
        room = np.empty((min(self.rows, BLOCK_ROWS), self.features), np.float32)
        for first in range(0, self.rows, BLOCK_ROWS):
            block = room[: min(BLOCK_ROWS, self.rows - first)]
            list(self.pool.map(lambda at, first=first, block=block: self._fill(block, first, at), _pieces(block)))
            yield block

    def _fill(self, block: Matrix, first: int, at: int) -> None:
        piece = block[at : at + PIECE_ROWS]
        for filling in self.fillings:
            piece[:, filling.columns] = filling.of(first + at, len(piece))


@dataclass(frozen=True)
class _Lookup:
    """A lookup in memory, with what of it goes into the matrix."""

    held: Held
    columns: slice | Ints
    values: Matrix
    located: dict[str, Ints]
    """By column that says something of a product, the number of each product's value among the keys."""


class Gatherer:
    """Everything that lists are joined with as of a day; see `open_gatherer`."""

    def __init__(  # noqa: PLR0913, PLR0917  (as in `open_gatherer`)
        self,
        pool: ThreadPoolExecutor,
        engine: DuckEngine,
        settings: Settings,
        lists: ir.Table,
        as_of: date,
        features: Sequence[str],
        prepare: Prepare,
    ) -> None:
        refuse_unlike_lists(lists.columns)
        self._engine, self._features, self._prepare, self._pool = engine, tuple(features), prepare, pool
        known = _of_these(engine, known_as_of(engine, settings, lists, as_of, {}, EVERYBODY), lists)
        wanted = {*features, RANK}
        families = [family for family in FAMILIES if wanted & {feature.name for feature in family.computed}]
        self._known, self._computing = known, [family.compute_here for family in families if family.compute_here]
        self._takes = {name for family in families for name in family.takes}
        self._located = hold(engine, LOCATED, known, {column.name for column in LOCATED.columns})
        self._lookups = [
            self._hold(lookup, known)
            for family in FAMILIES
            for lookup in family.looked_up
            if (wanted | self._takes) & {column.name for column in lookup.columns}
        ]
        self._overlaps = [
            Overlaps(engine, family.overlap, known, self._located.keys[0])
            for family in FAMILIES
            if family.overlap and wanted & {feature.name for feature in family.shared}
        ]
        self._in_memory = [self._taken(held) for held in (self._located, *(one.held for one in self._lookups))]

    def join(self, rows: pa.Table) -> Joined:
        """Rows of whole lists with their features."""
        product = self._located.places([numbers_of(rows["product_id"], self._located.keys[0])])
        places = list(self._pool.map(lambda lookup: _places(lookup, rows, product), self._lookups))
        given = self._given(rows, product, places)
        computed: dict[str, Floats] = {}
        for overlaps in self._overlaps:
            computed |= overlaps.of(rows["account_id"], product)
        for compute in self._computing:
            computed |= compute(given, self._known)
        fillings = [
            Filling(lookup.columns, lookup.values, place)
            for lookup, place in zip(self._lookups, places, strict=True)
            if lookup.values.shape[1]
        ]
        names = [name for name in self._features if name in computed]
        values = np.empty((rows.num_rows, len(names)), np.float32)
        for number, name in enumerate(names):
            known = np.isfinite(computed[name]) if name in UNKNOWN else True
            filled = np.where(known, computed[name], UNKNOWN.get(name, np.nan))
            values[:, number] = self._prepare(name, filled.astype(np.float32))
        fillings.append(Filling(self._columns(names), values, None))
        return Joined(rows.num_rows, computed[RANK].astype(np.int64), len(self._features), fillings, self._pool)

    def _hold(self, lookup: Lookup, known: AsOf) -> _Lookup:
        features = [column for column in lookup.columns if column.name in self._features]
        held = hold(self._engine, lookup, known, {column.name for column in features} | self._takes)
        values = np.empty((held.table.num_rows, len(features)), np.float32)
        for number, feature in enumerate(features):
            column = held.table[feature.name]
            if isinstance(feature, Feature) and feature.unknown is not None:
                column = pc.fill_null(column, feature.unknown)
            values[:, number] = self._prepared(feature.name, column)
        located = {
            column: numbers_of(self._located.table[column], keys)
            for column, keys in zip(held.on, held.keys, strict=True)
            if column not in PAIR
        }
        return _Lookup(held, self._columns([feature.name for feature in features]), values, located)

    def _taken(self, held: Held) -> dict[str, pa.Array]:
        """What is computed from. Text, which is only ever compared, is there by number: that takes less time."""
        columns = {name: held.table[name] for name in held.table.column_names if name in self._takes}
        return {
            name: _numbered(column) if pa.types.is_string(column.type) else column.combine_chunks()
            for name, column in columns.items()
        }

    def _columns(self, features: Sequence[str]) -> slice | Ints:
        """Where these features are in the matrix; as a slice where they lie side by side, which is quicker to fill."""
        found = np.array([self._features.index(name) for name in features], np.int64)
        if len(found) and np.array_equal(found, np.arange(found[0], found[0] + len(found))):
            return slice(int(found[0]), int(found[0]) + len(found))
        return found

    def _prepared(self, name: str, values: pa.ChunkedArray) -> Matrix:
        """The values as training lists hold them, or the same product would get another score than in evaluation."""
        narrow = pc.cast(values, pa.float32(), safe=False)
        return self._prepare(name, np.asarray(narrow.to_numpy(), dtype=np.float32))

    def _given(self, rows: pa.Table, product: Ints, places: Sequence[Ints]) -> pa.Table:
        """The rows with the columns that are computed from."""
        taken = [
            (name, column, place)
            for held, place in zip(self._in_memory, (product, *places), strict=True)
            for name, column in held.items()
        ]
        found = self._pool.map(lambda one: one[1].take(pa.array(one[2])), taken)
        columns = {name: rows[name] for name in LIST_COLUMNS}
        columns |= {"request_id": _numbered(rows["request_id"]), "ts": rows["ts"].cast(pa.timestamp("ms"))}
        return pa.table(columns | {name: column for (name, _, _), column in zip(taken, found, strict=True)})


@contextmanager
def open_gatherer(  # noqa: PLR0913, PLR0917  (as in `join_features`, and what a ranker takes)
    engine: DuckEngine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    features: Sequence[str],
    prepare: Prepare,
) -> Iterator[Gatherer]:
    """What is known as of a day of the buyers and products in these lists, ready for portions of them."""
    with ThreadPoolExecutor(settings.features.threads) as pool:
        yield Gatherer(pool, engine, settings, lists, as_of, features, prepare)


def _of_these(engine: DuckEngine, known: AsOf, lists: ir.Table) -> AsOf:
    """What is known of the buyers and products in these lists, worked out once."""
    asked = {key: engine.keep(lists.select(key).distinct()) for key in PAIR}

    @cache
    def read(table: str) -> ir.Table:
        rows = known.read(table)
        key = next((name for name in PAIR if name in rows.columns), None)
        return engine.among(rows, key, asked[key]) if key else rows

    seen = known.seen.semi_join(lists.select(*PAIR), PAIR)
    return replace(known, read=read, seen=engine.keep(seen), keep=engine.keep)


def _places(lookup: _Lookup, rows: pa.Table, product: Ints) -> Ints:
    numbers = [
        lookup.located[column][product] if column in lookup.located else numbers_of(rows[column], keys)
        for column, keys in zip(lookup.held.on, lookup.held.keys, strict=True)
    ]
    return lookup.held.places(numbers)


def _numbered(values: pa.ChunkedArray) -> pa.Array:
    """Each value's number; equal values have the same, and empty ones none."""
    return values.combine_chunks().dictionary_encode().indices


def _pieces(block: Matrix) -> range:
    return range(0, len(block), PIECE_ROWS)
