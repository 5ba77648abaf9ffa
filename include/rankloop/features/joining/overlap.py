"""Adds up in memory, for many rows at once, what buyers and products have in common."""

from collections.abc import Sequence

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.engine.protocol import Engine
from rankloop.features.declarations import Floats, Ints, Overlap
from rankloop.features.history import AsOfTables
from rankloop.features.joining.lookups import IdIndex, PairIndex, encode_ids
from rankloop.features.order import ranks_within_groups

NOTHING = np.iinfo(np.int64).max


def overlap_items(engine: Engine, overlap: Overlap, known: AsOfTables) -> tuple[pa.Table, pa.Table]:
    """Return the things of buyers with what is added up, and the things of products."""
    columns = sorted({column for column, _ in overlap.sums.values()} | set(overlap.least.values()))
    mine = _read(engine, overlap.of_buyer(known), ["account_id", *columns], overlap.thing)
    return mine, _read(engine, overlap.of_product(known), ["product_id"], overlap.thing)


class OverlapIndex:
    """Indexes the things of the lists' buyers and products by number."""

    def __init__(self, overlap: Overlap, mine: pa.Table, its: pa.Table, buyers: IdIndex, products: IdIndex) -> None:
        self._overlap = overlap
        things = pc.unique(mine[overlap.thing])
        buyer, thing = buyers.of(mine["account_id"]), encode_ids(mine[overlap.thing], things)
        self._pairs = PairIndex(buyer, thing, (buyers.many, len(things)))
        # A row behind the last stands for what a buyer does not have.
        self._sums = np.zeros((mine.num_rows + 1, len(overlap.sums)), np.int64)
        for number, (column, _) in enumerate(overlap.sums.values()):
            self._sums[:-1, number] = mine[column].to_numpy()
        self._least = np.full((mine.num_rows + 1, len(overlap.least)), NOTHING)
        for number, column in enumerate(overlap.least.values()):
            self._least[:-1, number] = mine[column].to_numpy()
        self._of_product = _side_by_side(
            products.of(its["product_id"]), encode_ids(its[overlap.thing], things), products.many, len(things)
        )

    def of(self, buyer: Ints, product: Ints) -> dict[str, Floats]:
        """Return the features of rows with the buyers and products of these numbers."""
        sums = np.zeros((len(buyer), self._sums.shape[1]), np.int64)
        least = np.full((len(buyer), self._least.shape[1]), NOTHING)
        for things in self._of_product:
            entry = self._pairs.of(buyer, things.take(product))
            sums += self._sums.take(entry, axis=0)
            np.minimum(least, self._least.take(entry, axis=0), out=least)
        values = {name: sums[:, number] / unit for number, (name, (_, unit)) in enumerate(self._overlap.sums.items())}
        for number, name in enumerate(self._overlap.least):
            values[name] = np.where(least[:, number] == NOTHING, np.nan, least[:, number])
        return values


def _side_by_side(product: Ints, thing: Ints, products: int, nothing: int) -> npt.NDArray[np.int32]:
    """Return the first thing of every product, the second of each, and so on; the last product is an unknown one."""
    there = (product < products) & (thing < nothing)
    # As one number they are sorted many times as fast as one after the other.
    product, thing = np.divmod(np.sort(product[there] * (nothing + 1) + thing[there]), nothing + 1)
    place = ranks_within_groups(np.bincount(product)) - 1
    made = np.full((int(place.max(initial=-1)) + 1, products + 1), nothing, np.int32)
    made[place, product] = thing
    return made


def _read(engine: Engine, table: ir.Table, columns: Sequence[str], thing: str) -> pa.Table:
    kind = table.schema().to_pyarrow().field(thing)
    schema = pa.schema([*((column, pa.int64()) for column in columns), kind])
    return engine.batches(table.select(*schema.names), schema).read_all().combine_chunks()
