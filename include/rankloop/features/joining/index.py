"""Indexes the features of lists' buyers and products in memory, and gathers from them those of any rows.

Most features are not computed but looked up, so they are the same numbers for every row that speaks of the same buyer
or product. They are cast and transformed once for each of those, and gathered by row number; DuckDB would carry a
hundred columns through every join. What has to be computed row by row is computed in NumPy.

The lists' buyers and products are numbered. What a row speaks of, such as the product's shop, is known by the number
of its buyer or its product, so to find it takes an array, and for what both speak of a table of pairs.

In memory are 4 bytes for each feature of each buyer and product, and a block of rows. Any threads may join rows side by
side.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.protocol import Engine
from rankloop.features.declarations import BUYER_KEY, PAIR_KEY, Family, Floats, Ints, Lookup
from rankloop.features.families.product import LOCATED
from rankloop.features.history import AsOfTables
from rankloop.features.joining.lookups import IdIndex, LookupTable, encode_ids, index_table, read_lookup
from rankloop.features.joining.overlap import OverlapIndex, overlap_items
from rankloop.features.joining.protocol import LIST_COLUMNS, JoinedRows, JoinError, Matrix, Transform
from rankloop.features.joining.store import FeatureStore

PRODUCT_KEY = "product_id"
BLOCK_ROWS = 1 << 15
"""Rows gathered and scored at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class ColumnBlock:
    """Some columns of the matrix, and the values that go into them row by row."""

    columns: slice | Ints
    values: Matrix
    places: Ints | None
    """By row, its place among the values; without, the values are those of the rows."""

    def rows(self, first: int, many: int) -> Matrix:
        """Return the values of that number of rows."""
        if self.places is None:
            return self.values[first : first + many]
        return self.values.take(self.places[first : first + many], axis=0, mode="clip")


@dataclass(frozen=True)
class _Lookup:
    """A lookup in memory, and what of it goes where."""

    table: LookupTable
    columns: slice | Ints
    values: Matrix
    keys: Sequence[tuple[str, Ints]]
    """Of each key: whether the buyer or the product tells it, and by the number of that one the key's own."""
    inputs: dict[str, npt.NDArray[Any]]
    """Its columns that row features are computed from."""

    def places(self, pair: Mapping[str, Ints]) -> Ints:
        """Return the places of rows that speak of these buyers and products."""
        return self.table.places([number.take(pair[of]) for of, number in self.keys])


class FeatureIndex:
    """The features as of a day of the buyers and products in some lists, ready for the rows of any of these.

    Without lists, those of all buyers and products that the day knows.
    """

    def __init__(  # noqa: PLR0913, PLR0917  (what is indexed, and what a task takes of it)
        self,
        engine: Engine,
        store: FeatureStore,
        lists: ir.Table | None,
        as_of: date,
        features: Sequence[str],
        full_width: pa.Schema,
        transform: Transform,
    ) -> None:
        store.validate(LIST_COLUMNS if lists is None else lists.columns, [*features, *full_width.names])
        self._features, self._full_width, self._transform = tuple(features), full_width, transform
        self._defaults = {one.name: one.unknown for one in store.features if one.unknown is not None}
        if lists is None:
            self._known, self._ids = _everything_known(engine, store, as_of)
        else:
            self._known, self._ids = _known_of(engine, store.as_of(engine, as_of, lists), lists)
        wanted, families = {*features, *full_width.names}, store.catalogue.families
        self._computing = [one for one in families if wanted & {feature.name for feature in one.computed}]
        self._inputs = {name for one in self._computing if one.row_features for name in one.row_features.inputs}
        wanted |= self._inputs
        located = {column.name for column in LOCATED.columns}
        self._located = self._hold(LOCATED, read_lookup(engine, LOCATED, self._known, located))
        self._lookups, self._overlaps = self._read(engine, families, wanted)

    def _read(
        self, engine: Engine, families: Sequence[Family], wanted: set[str]
    ) -> tuple[list[_Lookup], list[OverlapIndex]]:
        # While the engine answers one question, the answer to the last is indexed.
        with ThreadPoolExecutor(1) as aside:
            lookups = [
                aside.submit(self._hold, lookup, read_lookup(engine, lookup, self._known, wanted))
                for family in families
                for lookup in family.looked_up
                if wanted & {column.name for column in lookup.columns}
            ]
            overlaps = [
                aside.submit(
                    OverlapIndex,
                    family.overlap,
                    *overlap_items(engine, family.overlap, self._known),
                    *self._ids.values(),
                )
                for family in families
                if family.overlap and wanted & {feature.name for feature in family.shared}
            ]
        return [lookup.result() for lookup in lookups], [overlap.result() for overlap in overlaps]

    def join(self, rows: pa.Table) -> JoinedRows:
        """Gather the features of rows of whole lists."""
        pair = {key: ids.of(rows[key]) for key, ids in self._ids.items()}
        places = [lookup.places(pair) for lookup in (self._located, *self._lookups)]
        computed: dict[str, Floats] = {}
        blocks = [
            ColumnBlock(lookup.columns, lookup.values, place)
            for lookup, place in zip(self._lookups, places[1:], strict=True)
            if lookup.values.shape[1]
        ]
        for values in self._computed(rows, pair, places):
            blocks.append(self._column_block(values, rows.num_rows))
            computed |= values
        return JoinedRows(self._beside(rows, computed, places), self._blocks(rows.num_rows, blocks))

    def _blocks(self, rows: int, columns: Sequence[ColumnBlock]) -> Iterator[Matrix]:
        room = np.empty((min(rows, BLOCK_ROWS), len(self._features)), np.float32)
        for first in range(0, rows, BLOCK_ROWS):
            block = room[: rows - first]
            for column in columns:
                block[:, column.columns] = column.rows(first, len(block))
            yield block

    def _computed(
        self, rows: pa.Table, pair: Mapping[str, Ints], places: Sequence[Ints]
    ) -> Iterator[Mapping[str, Floats]]:
        """Yield what is computed for each row: by family, as the features of one mostly lie side by side."""
        for overlap in self._overlaps:
            yield overlap.of(pair[BUYER_KEY], pair[PRODUCT_KEY])
        given = self._given(rows, places) if self._computing else None
        for family in self._computing:
            values = family.row_features.arrays(given, self._known) if family.row_features else {}
            if lacking := [feature.name for feature in family.computed if feature.name not in values]:
                raise JoinError(
                    f"family {family.name} declares {', '.join(lacking)}, but the `arrays` of its row_features "
                    "return nothing for them. Return an array for each feature that is not looked up."
                )
            yield values

    def _column_block(self, computed: Mapping[str, Floats], rows: int) -> ColumnBlock:
        names = [name for name in self._features if name in computed]
        values = np.empty((rows, len(names)), np.float32)
        for number, name in enumerate(names):
            values[:, number] = self._transform(name, self._with_default(name, computed[name].astype(np.float32)))
        return ColumnBlock(self._columns(names), values, None)

    def _with_default(self, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if name in self._defaults:
            values[~np.isfinite(values)] = self._defaults[name]
        return values

    def _beside(self, rows: pa.Table, computed: Mapping[str, Floats], places: Sequence[Ints]) -> pa.Table:
        """Return the rows' own columns, and the features in full width."""
        columns = {name: rows[name] for name in rows.column_names}
        for field in self._full_width:
            if field.name in computed:
                values = pa.array(self._with_default(field.name, computed[field.name].copy()), from_pandas=True)
            else:
                values = next(
                    self._filled(field.name, lookup.table.table[field.name]).take(pa.array(place))
                    for lookup, place in zip(self._lookups, places[1:], strict=True)
                    if field.name in lookup.table.table.column_names
                )
            columns[field.name] = values.cast(field.type)
        return pa.table(columns)

    def _filled(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.fill_null(column, self._defaults[name]) if name in self._defaults else column

    def _hold(self, lookup: Lookup, rows: pa.Table) -> _Lookup:
        table = index_table(lookup, rows)
        names = [column.name for column in lookup.columns if column.name in self._features]
        values = np.empty((table.table.num_rows, len(names)), np.float32)
        for number, name in enumerate(names):
            # As training lists hold them, or the same product would get another score than in evaluation.
            narrow = pc.cast(self._filled(name, table.table[name]), pa.float32(), safe=False)
            values[:, number] = self._transform(name, np.asarray(narrow.to_numpy(), dtype=np.float32))
        return _Lookup(table, self._columns(names), values, self._keys_of(table), self._inputs_of(table))

    def _keys_of(self, table: LookupTable) -> list[tuple[str, Ints]]:
        """Return what tells each key, and by its number that of the key; the last is one that nobody asked for."""
        keys_of = []
        for column, keys in zip(table.on, table.keys, strict=True):
            if column in PAIR_KEY:
                keys_of.append((column, np.append(encode_ids(self._ids[column].known, keys), len(keys))))
            else:
                [(of, product)] = self._located.keys
                keys_of.append((of, encode_ids(self._located.table.table[column], keys)[product]))
        return keys_of

    def _inputs_of(self, table: LookupTable) -> dict[str, npt.NDArray[Any]]:
        """Return what is computed from. Text, which is only ever compared, is there by number: that takes less time."""
        columns = {name: table.table[name] for name in table.table.column_names if name in self._inputs}
        return {
            name: _numbered(column) if pa.types.is_string(column.type) else np.asarray(column.to_numpy(), np.float64)
            for name, column in columns.items()
        }

    def _columns(self, features: Sequence[str]) -> slice | Ints:
        """Return where these features are in the matrix; a slice if side by side, which is quicker to fill."""
        places = np.array([self._features.index(name) for name in features], np.int64)
        if len(places) and np.array_equal(places, np.arange(places[0], places[0] + len(places))):
            return slice(int(places[0]), int(places[0]) + len(places))
        return places

    def _given(self, rows: pa.Table, places: Sequence[Ints]) -> pa.Table:
        """Return the rows with the columns that row features are computed from."""
        columns = {name: rows[name] for name in LIST_COLUMNS}
        columns |= {"request_id": _numbered(rows["request_id"]), "ts": rows["ts"].cast(pa.timestamp("ms"))}
        for lookup, place in zip((self._located, *self._lookups), places, strict=True):
            columns |= {name: column.take(place) for name, column in lookup.inputs.items()}
        return pa.table(columns)


def _known_of(engine: Engine, known: AsOfTables, lists: ir.Table) -> tuple[AsOfTables, dict[str, IdIndex]]:
    """Return what is known of the buyers and products in these lists, computed once, and their ids."""
    asked = {key: engine.materialise(lists.select(key).distinct()) for key in PAIR_KEY}

    @cache
    def read_of(table: str) -> ir.Table:
        rows = known.read(table)
        if BUYER_KEY in rows.columns:
            return engine.semi_join(rows, BUYER_KEY, asked[BUYER_KEY])
        # Many lists ask for most products, so a copy of those would save nothing.
        return rows.semi_join(asked[PRODUCT_KEY], PRODUCT_KEY) if PRODUCT_KEY in rows.columns else rows

    # Most of what was shown was shown to others, and one key tells that in less time than two.
    mine = known.seen.semi_join(asked[BUYER_KEY], BUYER_KEY)
    seen = engine.materialise(mine.semi_join(lists.select(*PAIR_KEY), list(PAIR_KEY)))
    # Of the lists only pairs that were shown are asked for, and counting those once more would be the longest step.
    of_these = replace(known, lists=seen, read=read_of, seen=seen, materialise=engine.materialise)
    return of_these, {key: _ids_of(engine, key, table) for key, table in asked.items()}


def _everything_known(engine: Engine, store: FeatureStore, as_of: date) -> tuple[AsOfTables, dict[str, IdIndex]]:
    """Return what is known as of a day, and the ids of all buyers and products in it."""
    known = store.as_of(engine, as_of)
    tables = [known.seen, *(known.read(builder.spec.name) for builder in store.catalogue.as_of)]
    ids = {}
    for key in PAIR_KEY:
        keys = [table.filter(table[key].notnull()).select(key) for table in tables if key in table.columns]
        ids[key] = _ids_of(engine, key, ibis.union(*keys, distinct=True))
    return replace(known, materialise=engine.materialise), ids


def _ids_of(engine: Engine, key: str, table: ir.Table) -> IdIndex:
    return IdIndex(engine.batches(table, pa.schema({key: pa.int64()})).read_all()[key])


def _numbered(values: pa.ChunkedArray) -> Ints:
    """Return each value's number; equal values have the same, and nulls -1."""
    return np.asarray(values.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy())
