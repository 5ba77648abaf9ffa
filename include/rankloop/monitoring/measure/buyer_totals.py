"""Sums up a day's events by buyer: the parts of each live metric that come from each of them.

CTR, MAP, recall and NDCG are those of `rankloop.ranking.metrics`, of each list as it was shown, by its positions. An
order counts for the list that it names. Reactions count for a day after their list.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.lake import EVENT_SCHEMAS, REACTIONS, SHOWN
from rankloop.engine.protocol import Engine, count_rows
from rankloop.features.prices import clip_price
from rankloop.lake.tables import Lake
from rankloop.ranking.labels import in_time, labelled
from rankloop.ranking.metrics import Bools, Floats, Ints, Judged, Tally, metric_names, tally

HOURS = 24
OF_LISTS = metric_names(metrics=("map", "recall", "ndcg", "ctr"))
ORDERS_OF_LISTS, ORDERS, GMV = "orders_per_1000_lists", "orders_per_buyer", "gmv_per_buyer"
NAMES = (*OF_LISTS, ORDERS_OF_LISTS, ORDERS, GMV)
PORTION_ROWS = 1 << 21
"""Rows processed at a time: a few hundred megabytes."""
ROWS = pa.schema(
    {
        "request_id": pa.string(),
        "account_id": pa.int64(),
        "policy": pa.string(),
        "surface": pa.string(),
        "position": pa.int64(),
        "label": pa.int64(),
        "orders": pa.int64(),
        "gmv": pa.float64(),
    }
)

Words = npt.NDArray[Any]


@dataclass(frozen=True)
class BuyerTotals:
    """A row for each buyer, policy and surface: the lists shown, and their parts of each of `NAMES`."""

    account: Ints
    policy: Words
    surface: Words
    lists: Ints
    part: Floats
    whole: Floats

    def __len__(self) -> int:
        return len(self.account)

    def take(self, rows: Bools) -> "BuyerTotals":
        """Return some of the rows."""
        return BuyerTotals(*(getattr(self, field.name)[rows] for field in fields(self)))

    def by_buyer(self, buyers: Ints) -> Tally:
        """Return the metric parts of each of these buyers, in order; zero for those who saw none of these lists."""
        row = np.searchsorted(buyers, self.account)
        lists = np.bincount(row, self.lists, len(buyers))
        part, whole = (_by(row, side, len(buyers)) for side in (self.part, self.whole))
        for metric in (ORDERS, GMV):
            whole[:, NAMES.index(metric)] = lists > 0
        return Tally(NAMES, part, whole)


def buyer_totals(engine: Engine, lake: Lake, day: date) -> BuyerTotals:
    """Return the totals of a day's lists and of the reactions to them within 24 hours, in bounded memory."""
    shown = engine.read(lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
    reactions = engine.read(lake.files(REACTIONS, [day, day + timedelta(days=1)]), EVENT_SCHEMAS[REACTIONS])
    rows = engine.materialise(_with_orders(labelled(shown, reactions, HOURS), _orders(shown, reactions)))
    parts = [_sums(table) for table in _portions(engine, rows)]
    return BuyerTotals(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(BuyerTotals))
    )


def _orders(shown: ir.Table, reactions: ir.Table) -> ir.Table:
    """Return by list how many orders name it, and what they were worth."""
    orders = in_time(reactions.filter(reactions["kind"] == "order"), shown, HOURS)
    worth = clip_price(orders["price"]) * orders["quantity"]
    found = orders.group_by("request_id").agg(orders=orders.count(), gmv=worth.sum())
    return found.select(_request="request_id", orders="orders", gmv="gmv")


def _with_orders(rows: ir.Table, orders: ir.Table) -> ir.Table:
    joined = rows.left_join(orders, rows["request_id"] == orders["_request"])
    joined = joined.mutate(orders=joined["orders"].fill_null(0), gmv=joined["gmv"].cast("float64").fill_null(0.0))
    wide = {field.name for field in ROWS if pa.types.is_int64(field.type)}
    return joined.select(**{name: joined[name].cast("int64") if name in wide else joined[name] for name in ROWS.names})


def _portions(engine: Engine, rows: ir.Table) -> Iterator[pa.Table]:
    """Yield the rows in whole lists, in the order shown, a portion of the buyers at a time."""
    portions = max(1, -(-count_rows(engine, rows) // PORTION_ROWS))
    for number in range(portions):
        part = rows.filter(rows["account_id"] % portions == number) if portions > 1 else rows
        table = engine.batches(part, ROWS).read_all()
        yield table.sort_by([("request_id", "ascending"), ("position", "ascending")]).combine_chunks()


def _sums(table: pa.Table) -> BuyerTotals:
    """Sum the metrics, orders and GMV of a table of whole lists by buyer, policy and surface."""
    request = table["request_id"]
    begins = np.ones(len(table), dtype=bool)
    if len(table):
        begins[1:] = pc.not_equal(request[1:], request[:-1]).to_numpy()
    first = np.flatnonzero(begins)
    sizes = np.diff(np.append(first, len(table)))
    lists = table.take(pa.array(first))
    shown = tally(-table["position"].to_numpy().astype(float), Judged(table["label"].to_numpy(), sizes), OF_LISTS)
    orders, gmv = (lists[name].to_numpy().astype(np.float64)[:, None] for name in ("orders", "gmv"))
    part = np.concatenate([shown.part, 1000 * orders, orders, gmv], axis=1)
    # What is counted by buyer has no whole in a list.
    whole = np.concatenate([shown.whole, np.ones_like(orders), np.zeros((len(first), 2))], axis=1)
    return _added(lists, part, whole)


def _added(lists: pa.Table, part: Floats, whole: Floats) -> BuyerTotals:
    """Sum the figures of the lists by buyer, policy and surface."""
    account = lists["account_id"].to_numpy()
    policy, surface = (lists[name].to_numpy().astype(str) for name in ("policy", "surface"))
    codes = (np.unique(words, return_inverse=True)[1] for words in (account, policy, surface))
    _, first, cell = np.unique(np.stack(list(codes)), axis=1, return_index=True, return_inverse=True)
    cell = cell.ravel()
    count = np.bincount(cell, minlength=len(first))
    return BuyerTotals(
        account[first], policy[first], surface[first], count, _by(cell, part, len(first)), _by(cell, whole, len(first))
    )


def _by(number: Ints, figures: Floats, count: int) -> Floats:
    """Sum the rows of `figures` that have the same number."""
    return np.stack([np.bincount(number, column, count).astype(np.float64) for column in figures.T], axis=1)
