"""Joins lists with features as tables of an engine: in DuckDB, or on a Spark cluster."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.tables import Column
from rankloop.engine.protocol import Engine
from rankloop.features.declarations import PAIR_KEY, Feature, Overlap
from rankloop.features.families import product
from rankloop.features.favourites import number_values
from rankloop.features.history import AsOfTables
from rankloop.features.joining.protocol import (
    ALL_BUYERS,
    BuyerShard,
    JoinedRows,
    Reduce,
    RowTask,
    buyer_shards,
    unreduced,
)
from rankloop.features.joining.store import FeatureStore


class SetJoiner:
    """Joins lists with the features as of a day by joins of tables, wherever the engine has its rows."""

    def __init__(  # noqa: PLR0913  (what is joined, with what, and how much of it)
        self,
        engine: Engine,
        store: FeatureStore,
        lists: ir.Table,
        as_of: date,
        *,
        shard: BuyerShard = ALL_BUYERS,
        next_day: Collection[str] = (),
    ) -> None:
        store.validate(lists.columns, next_day)
        self._engine, self._store, self._lists, self._as_of = engine, store, lists, as_of
        self._shard, self._next_day = shard, tuple(next_day)

    def table(self) -> ir.Table:
        """Return the lists with every feature in full width, in the catalogue's order after their own columns."""
        return self._table(self._shard)

    def rows(self, features: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the lists, in no order: their own columns, and these features in 32 bits."""
        own = self._lists.schema().to_pyarrow()
        self._store.validate(own.names, features)
        kinds = self._store.joined_schema(pa.schema([]))
        schema = pa.schema([*own, *(kinds.field(name) for name in features)])
        for batch in self._engine.batches(self.table().select(*schema.names), schema):
            narrow = [pc.cast(batch[name], pa.float32(), safe=False) for name in features]
            yield pa.RecordBatch.from_arrays([*(batch[name] for name in own.names), *narrow], names=schema.names)

    def map_rows(self, task: RowTask, reduce: Reduce = unreduced) -> Iterator[pa.Table]:
        """Yield the reduced result of the task, a shard of the buyers at a time."""
        self._store.validate(self._lists.columns, task.features)
        kinds = self._store.joined_schema(pa.schema([]))
        types = {**{name: kinds.field(name).type for name in task.features}, **{f.name: f.type for f in task.columns}}
        alone = self._shard == ALL_BUYERS
        for shard in buyer_shards(self._engine, self._lists) if alone else [self._shard]:
            rows = self._table(shard).select(*types)
            mapped = self._engine.map_batches(rows, pa.schema(types), partial(run_on_batches, task), task.result)
            yield reduce(self._engine.batches(mapped, task.result).read_all())

    def _table(self, shard: BuyerShard) -> ir.Table:
        rows = self._joined(shard, self._as_of)
        if not self._next_day:
            return rows
        later = self._joined(shard, self._as_of + timedelta(days=1))
        later = later.select(
            _request="request_id", _product="product_id", **{f"_{name}": later[name] for name in self._next_day}
        )
        both = rows.left_join(later, [rows["request_id"] == later["_request"], rows["product_id"] == later["_product"]])
        values = {name: both[name] for name in rows.columns}
        for name in self._next_day:
            values[name] = ibis.ifelse(both[name].isnull(), ibis.null(), both[f"_{name}"])
        return both.select(**values)

    def _joined(self, shard: BuyerShard, as_of: date) -> ir.Table:
        lists = shard.take(self._engine, self._lists)
        known = self._store.as_of(self._engine, as_of, lists, shard)
        rows = left_join_lookup(lists, product.LOCATED.read(known), product.LOCATED.on, product.LOCATED.columns)
        for family in self._store.catalogue.families:
            for lookup in family.looked_up:
                rows = left_join_lookup(rows, lookup.read(known), lookup.on, lookup.columns)
            if family.overlap:
                rows = left_join_lookup(rows, overlap_by_pair(family.overlap, known), PAIR_KEY, family.shared)
            if family.row_features:
                rows = family.row_features.expression(rows, known)
        own = {name: rows[name] for name in lists.columns}
        return rows.select(**own, **fill_defaults(rows, self._store.features))


def left_join_lookup(rows: ir.Table, lookup: ir.Table, on: Mapping[str, str], columns: Iterable[Column]) -> ir.Table:
    """Add columns of a table to the rows whose key it has, and nulls to the others.

    `on` maps the column of the rows to the key of the table.
    """
    prefixed = {f"_key_{name}": key for name, key in on.items()}
    lookup = lookup.select(
        **{new: lookup[key] for new, key in prefixed.items()},
        **{column.name: lookup[column.name] for column in columns},
    )
    matches = [rows[name] == lookup[f"_key_{name}"] for name in on]
    return rows.left_join(lookup, matches).drop(*prefixed)


def overlap_by_pair(overlap: Overlap, known: AsOfTables) -> ir.Table:
    """Return, by pair of buyer and product in the lists, what they have in common."""
    of_buyer, of_product = overlap.of_buyer(known), overlap.of_product(known)
    numbers = known.materialise(number_values(of_buyer, overlap.thing, "number"))
    mine = known.materialise(of_buyer.join(numbers, overlap.thing).drop(overlap.thing))
    its = known.materialise(of_product.join(numbers, overlap.thing).select("product_id", "number"))
    pairs = known.lists.select(*PAIR_KEY).distinct().join(its, "product_id")
    # An inner join could be taken in another order, every buyer's things with every product's: billions of rows.
    both = pairs.left_join(mine, ["account_id", "number"])
    sums = {name: both[column].sum() for name, (column, _) in overlap.sums.items()}
    least = {name: both[column].min() for name, column in overlap.least.items()}
    counted = both.group_by(list(PAIR_KEY)).agg(**sums, **least)
    return counted.mutate(**{name: counted[name] / unit for name, (_, unit) in overlap.sums.items() if unit > 1})


def fill_defaults(rows: ir.Table, features: Iterable[Feature]) -> dict[str, ir.Value]:
    """Return, by name, these features of the rows, with each one's default where nothing is known."""
    return {
        feature.name: rows[feature.name] if feature.unknown is None else rows[feature.name].fill_null(feature.unknown)
        for feature in features
    }


def run_on_batches(task: RowTask, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Run a task on joined rows as an engine has them, in whichever process."""
    return task.run(_joined_rows(task, batch) for batch in batches)


def _joined_rows(task: RowTask, batch: pa.RecordBatch) -> JoinedRows:
    matrix = np.empty((batch.num_rows, len(task.features)), np.float32)
    for number, name in enumerate(task.features):
        # As training lists hold them, or the same product would get another score here than in evaluation.
        narrow = pc.cast(batch[name], pa.float32(), safe=False).to_numpy(zero_copy_only=False)
        matrix[:, number] = task.transform(name, np.asarray(narrow, np.float32))
    return JoinedRows(pa.Table.from_batches([batch.select(task.columns.names)]), iter([matrix]))
