"""What buyers and products have in common, added up in memory for many rows at once."""

from collections.abc import Sequence

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.features.declare import Floats, Ints, Overlap
from rankloop.features.duck import DuckEngine
from rankloop.features.history import AsOf
from rankloop.features.lookups import numbers_of

AT_ONCE = 1 << 17
"""Buyers times things that are looked at together: few enough to stay in the processor's cache."""
NOTHING = np.iinfo(np.int64).max


class Overlaps:
    """The things of the lists' buyers and products, by number."""

    def __init__(self, engine: DuckEngine, overlap: Overlap, known: AsOf, products: pa.Array) -> None:
        self._overlap = overlap
        columns = sorted({column for column, _ in overlap.sums.values()} | set(overlap.least.values()))
        mine = _read(engine, overlap.of_buyer(known), ["account_id", *columns], overlap.thing).sort_by("account_id")
        things = pc.unique(mine[overlap.thing])
        self._many = len(things)
        self._at_once = max(1, AT_ONCE // (self._many + 1))
        self._buyers = pc.unique(mine["account_id"])
        self._buyer = numbers_of(mine["account_id"], self._buyers)
        self._thing = numbers_of(mine[overlap.thing], things)
        self._begins = np.searchsorted(self._buyer, np.arange(len(self._buyers) + 1))
        # A row in front of the first stands for what a buyer does not have.
        self._sums = np.zeros((mine.num_rows + 1, len(overlap.sums)), np.int64)
        for number, (column, _) in enumerate(overlap.sums.values()):
            self._sums[1:, number] = mine[column].to_numpy()
        self._least = np.full((mine.num_rows + 1, len(overlap.least)), NOTHING)
        for number, column in enumerate(overlap.least.values()):
            self._least[1:, number] = mine[column].to_numpy()
        its = _read(engine, overlap.of_product(known), ["product_id"], overlap.thing)
        self._of_product = _side_by_side(
            numbers_of(its["product_id"], products), numbers_of(its[overlap.thing], things), len(products), self._many
        )

    def of(self, accounts: pa.ChunkedArray, product: Ints) -> dict[str, Floats]:
        """The features of rows with these buyers and these products, of which the numbers are known."""
        buyer = numbers_of(accounts, self._buyers)
        sums = np.zeros((len(buyer), self._sums.shape[1]), np.int64)
        least = np.full((len(buyer), self._least.shape[1]), NOTHING)
        order = np.argsort(buyer, kind="stable")
        firsts = [*range(0, len(self._buyers), self._at_once), len(self._buyers)]
        bounds = np.searchsorted(buyer[order], firsts)
        for first, begin, end in zip(firsts, bounds, bounds[1:], strict=False):
            rows = order[begin:end]
            sums[rows], least[rows] = self._added(first, buyer[rows], product[rows])
        found = {name: sums[:, number] / unit for number, (name, (_, unit)) in enumerate(self._overlap.sums.items())}
        for number, name in enumerate(self._overlap.least):
            found[name] = np.where(least[:, number] == NOTHING, np.nan, least[:, number])
        return found

    def _added(self, first: int, buyer: Ints, product: Ints) -> tuple[Ints, Ints]:
        """What pairs have in common whose buyers are the first of these or one of those that come next."""
        entries = self._entries(first)
        mine = (buyer - first) * (self._many + 1)
        sums = np.zeros((len(buyer), self._sums.shape[1]), np.int64)
        least = np.full((len(buyer), self._least.shape[1]), NOTHING)
        for things in self._of_product:
            entry = entries.take(mine + things.take(product))
            sums += self._sums.take(entry, axis=0)
            np.minimum(least, self._least.take(entry, axis=0), out=least)
        return sums, least

    def _entries(self, first: int) -> Ints:
        """By buyer from the first on, and by thing, the row of what the buyer has of it."""
        last = min(first + self._at_once, len(self._buyers))
        begin, end = self._begins[first], self._begins[last]
        entries = np.zeros((last - first, self._many + 1), np.int64)
        entries[self._buyer[begin:end] - first, self._thing[begin:end]] = np.arange(begin + 1, end + 1)
        return entries.ravel()


def _side_by_side(product: Ints, thing: Ints, products: int, nothing: int) -> npt.NDArray[np.int64]:
    """The first thing of every product, the second of each, and so on; the last product is one that nobody knows."""
    there = (product < products) & (thing < nothing)
    product, thing = product[there], thing[there]
    order = np.argsort(product, kind="stable")
    product, thing = product[order], thing[order]
    place = np.arange(len(product)) - np.searchsorted(product, product)
    made = np.full((int(place.max(initial=-1)) + 1, products + 1), nothing)
    made[place, product] = thing
    return made


def _read(engine: DuckEngine, table: ir.Table, columns: Sequence[str], thing: str) -> pa.Table:
    kind = table.schema().to_pyarrow().field(thing)
    schema = pa.schema([*((column, pa.int64()) for column in columns), kind])
    return engine.batches(table.select(*schema.names), schema).read_all().combine_chunks()
