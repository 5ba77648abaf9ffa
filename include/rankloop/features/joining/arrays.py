"""Joins lists in this process for whoever scores many: what `join_features` gives, as blocks of a ranker's matrix.

Most features are not worked out but looked up, so they are the same numbers for every row that speaks of the same buyer
or product. They are cast and prepared once for each of those, and gathered by row number; DuckDB would carry a hundred
columns through every join. What has to be worked out row by row is worked out in NumPy. Families declare which is
which, and for the few features of the latter kind say it twice; a test holds both ways to the same bits.

The lists' buyers and products are numbered. What a row speaks of, such as the product's shop, is known by the number
of its buyer or its product, so to find it takes an array, and for what both speak of a table of pairs.

In memory are the features of the lists' buyers and products, 4 bytes each, and a block of rows. Any threads may join
portions side by side.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.duck import DuckEngine
from rankloop.features.catalogue import FAMILIES, FEATURES
from rankloop.features.declarations import Feature, Floats, Ints, Lookup
from rankloop.features.families.product import LOCATED
from rankloop.features.history import AsOf
from rankloop.features.joining.lookups import Held, Ids, hold, numbers_of, read
from rankloop.features.joining.overlap import Overlaps, things_of
from rankloop.features.joining.sets import EVERYBODY, LIST_COLUMNS, known_as_of, refuse_unlike_lists
from rankloop.settings import Settings

Matrix = npt.NDArray[np.float32]
Prepare = Callable[[str, Matrix], Matrix]
"""What is done to a feature's values before a ranker sees them: to each value by itself."""
PAIR = BUYER, PRODUCT = "account_id", "product_id"
RANK = "context_base_rank"
UNKNOWN = {feature.name: feature.unknown for feature in FEATURES if feature.unknown is not None}
BLOCK_ROWS = 1 << 15
"""What is gathered and scored at a time: few enough to stay in the processor's cache."""


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

    def blocks(self) -> Iterator[Matrix]:
        """The rows in their order, a block at a time; the next block takes the place of the last."""
        room = np.empty((min(self.rows, BLOCK_ROWS), self.features), np.float32)
        for first in range(0, self.rows, BLOCK_ROWS):
            block = room[: self.rows - first]
            for filling in self.fillings:
                block[:, filling.columns] = filling.of(first, len(block))
            yield block


@dataclass(frozen=True)
class _Lookup:
    """A lookup in memory, with what of it goes into the matrix."""

    held: Held
    columns: slice | Ints
    values: Matrix
    asked: Sequence[tuple[str, Ints]]
    """Of each key: whether the buyer or the product tells it, and by the number of that one the key's own."""
    taken: dict[str, npt.NDArray[Any]]
    """Its columns that other features are computed from."""

    def places(self, spoken: Mapping[str, Ints]) -> Ints:
        """The places of rows that speak of these buyers and products."""
        return self.held.places([number.take(spoken[of]) for of, number in self.asked])


class Gatherer:
    """What is known as of a day of the buyers and products in these lists, ready for portions of them."""

    def __init__(  # noqa: PLR0913, PLR0917  (as in `join_features`, and what a ranker takes)
        self,
        engine: DuckEngine,
        settings: Settings,
        lists: ir.Table,
        as_of: date,
        features: Sequence[str],
        prepare: Prepare,
    ) -> None:
        refuse_unlike_lists(lists.columns)
        self._features, self._prepare = tuple(features), prepare
        known, self._asked = _of_these(engine, known_as_of(engine, settings, lists, as_of, {}, EVERYBODY), lists)
        wanted = {*features, RANK}
        families = [family for family in FAMILIES if wanted & {feature.name for feature in family.computed}]
        self._known, self._computing = known, [family.compute_here for family in families if family.compute_here]
        self._takes = {name for family in families for name in family.takes}
        wanted |= self._takes
        self._located = self._hold(LOCATED, read(engine, LOCATED, known, {column.name for column in LOCATED.columns}))
        # What one question came to is put in order while the engine works on the next.
        with ThreadPoolExecutor(1) as aside:
            lookups = [
                aside.submit(self._hold, lookup, read(engine, lookup, known, wanted))
                for family in FAMILIES
                for lookup in family.looked_up
                if wanted & {column.name for column in lookup.columns}
            ]
            overlaps = [
                aside.submit(Overlaps, family.overlap, *things_of(engine, family.overlap, known), *self._asked.values())
                for family in FAMILIES
                if family.overlap and wanted & {feature.name for feature in family.shared}
            ]
        self._lookups = [lookup.result() for lookup in lookups]
        self._overlaps = [overlap.result() for overlap in overlaps]

    def join(self, rows: pa.Table) -> Joined:
        """Rows of whole lists with their features."""
        spoken = {key: asked.of(rows[key]) for key, asked in self._asked.items()}
        places = [lookup.places(spoken) for lookup in (self._located, *self._lookups)]
        given = self._given(rows, places)
        computed: list[Mapping[str, Floats]] = [
            overlaps.of(*(spoken[key] for key in PAIR)) for overlaps in self._overlaps
        ]
        computed += [compute(given, self._known) for compute in self._computing]
        fillings = [
            Filling(lookup.columns, lookup.values, place)
            for lookup, place in zip(self._lookups, places[1:], strict=True)
            if lookup.values.shape[1]
        ]
        fillings += [self._worked_out(values) for values in computed]
        [rank] = [values[RANK] for values in computed if RANK in values]
        return Joined(rows.num_rows, rank.astype(np.int64), len(self._features), fillings)

    def _worked_out(self, found: Mapping[str, Floats]) -> Filling:
        """What a family comes to for each row; by families, as the features of one mostly lie side by side."""
        names = [name for name in self._features if name in found]
        values = np.empty((len(next(iter(found.values()))), len(names)), np.float32)
        for number, name in enumerate(names):
            column = found[name].astype(np.float32)
            if name in UNKNOWN:
                column[~np.isfinite(column)] = UNKNOWN[name]
            values[:, number] = self._prepare(name, column)
        return Filling(self._columns(names), values, None)

    def _hold(self, lookup: Lookup, rows: pa.Table) -> _Lookup:
        held = hold(lookup, rows)
        features = [column for column in lookup.columns if column.name in self._features]
        values = np.empty((held.table.num_rows, len(features)), np.float32)
        for number, feature in enumerate(features):
            column = held.table[feature.name]
            if isinstance(feature, Feature) and feature.unknown is not None:
                column = pc.fill_null(column, feature.unknown)
            values[:, number] = self._prepared(feature.name, column)
        columns = self._columns([feature.name for feature in features])
        return _Lookup(held, columns, values, self._keyed(held), self._taken(held))

    def _keyed(self, held: Held) -> list[tuple[str, Ints]]:
        """What tells each key, and by its number that of the key; the last is one that nobody asked for."""
        found = []
        for column, keys in zip(held.on, held.keys, strict=True):
            if column in PAIR:
                found.append((column, np.append(numbers_of(self._asked[column].known, keys), len(keys))))
            else:
                [(of, product)] = self._located.asked
                found.append((of, numbers_of(self._located.held.table[column], keys)[product]))
        return found

    def _taken(self, held: Held) -> dict[str, npt.NDArray[Any]]:
        """What is computed from. Text, which is only ever compared, is there by number: that takes less time."""
        columns = {name: held.table[name] for name in held.table.column_names if name in self._takes}
        return {
            name: _numbered(column) if pa.types.is_string(column.type) else np.asarray(column.to_numpy(), np.float64)
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

    def _given(self, rows: pa.Table, places: Sequence[Ints]) -> pa.Table:
        """The rows with the columns that are computed from."""
        columns = {name: rows[name] for name in LIST_COLUMNS}
        columns |= {"request_id": _numbered(rows["request_id"]), "ts": rows["ts"].cast(pa.timestamp("ms"))}
        for lookup, place in zip((self._located, *self._lookups), places, strict=True):
            columns |= {name: column.take(place) for name, column in lookup.taken.items()}
        return pa.table(columns)


def _of_these(engine: DuckEngine, known: AsOf, lists: ir.Table) -> tuple[AsOf, dict[str, Ids]]:
    """What is known of the buyers and products in these lists, worked out once; and who they are."""
    asked = {key: engine.materialise(lists.select(key).distinct()) for key in PAIR}

    @cache
    def read_of(table: str) -> ir.Table:
        rows = known.read(table)
        if BUYER in rows.columns:
            return engine.semi_join(rows, BUYER, asked[BUYER])
        # Many lists ask for most products, so a copy of those would save nothing.
        return rows.semi_join(asked[PRODUCT], PRODUCT) if PRODUCT in rows.columns else rows

    # Most of what was shown was shown to others, and one key tells that in less time than two.
    seen = engine.materialise(known.seen.semi_join(asked[BUYER], BUYER).semi_join(lists.select(*PAIR), PAIR))
    ids = {
        key: Ids(engine.batches(table, pa.schema({key: pa.int64()})).read_all()[key]) for key, table in asked.items()
    }
    # Of the lists only pairs that were shown are asked for, and counting those once more would be the longest step.
    return replace(known, lists=seen, read=read_of, seen=seen, materialise=engine.materialise), ids


def _numbered(values: pa.ChunkedArray) -> Ints:
    """Each value's number; equal values have the same, and empty ones -1."""
    return np.asarray(values.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy())
