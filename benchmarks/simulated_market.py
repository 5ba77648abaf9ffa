"""Days of the simulator's marketplace straight into a lake, without MongoDB, and the truth about what was shown.

The lists, reactions, catalogue and accounts are the simulator's own, so that what is learned from them can be held
against its hidden probabilities.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from building import aggregate_day, build_features, lake_of

from rankloop.contracts.lake import BUYERS, CLEANED, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.contracts.marketplace import TIMESTAMP
from rankloop.lake.day_facts import write_facts
from rankloop.settings import Settings
from rankloop_demo.simulator.catalogue import product_documents, products_changed
from rankloop_demo.simulator.clock import clock
from rankloop_demo.simulator.documents import ARRIVAL, Page, reaction_table, request_ids
from rankloop_demo.simulator.lists import SURFACES, Lists
from rankloop_demo.simulator.living import Marketplace, happen
from rankloop_demo.simulator.people import buyer_documents, buyers_changed
from rankloop_demo.simulator.taste import attention, click_probability

ACCOUNT_TIMES = {
    "created_at": "utc_created_at",
    "updated_at": "utc_updated_at",
    "latest_order_at": "latest_order_date",
}


class Truth(NamedTuple):
    """What the simulator knows of a day's lists, a value a product shown; what a model never sees."""

    request_id: pa.Array
    product_id: np.ndarray
    probability: np.ndarray
    """Of a click where the product stood."""
    want: np.ndarray
    """Of a click if it were looked at: the same wherever it stands."""


def live_in_lake(settings: Settings, place: Marketplace, days: Sequence[date], features_from: date) -> Iterator[date]:
    """Put these days of events into the lake and build them, with features as of the later ones; each day when done."""
    snapshots: tuple[dict[int, Any], dict[int, Any]] = {}, {}
    tomorrow: list[pa.Table] = []
    for day in days:
        tables, tomorrow = _day(place, day, tomorrow, snapshots)
        for table, rows in tables.items():
            lake_of(settings).replace_day(table, day, rows, EVENT_SCHEMAS[table])
        write_facts(lake_of(settings), CLEANED, day, {})
        aggregate_day(settings, day)
        if day >= features_from:
            build_features(settings, day)
        yield day


def truth_of(place: Marketplace, day: date) -> Truth:
    """The hidden probabilities of all that was shown on a day."""
    found = []
    for block in range(place.blocks):
        page = Page(place.world, place.market(day), clock(day, place.zone), block)
        lists, _ = happen(place, day, block)
        shown = lists.shown
        request = np.repeat(np.array(request_ids(page, len(shown)), dtype=object), shown.sum(axis=1))
        clicked = click_probability(place.world, page.market, lists)
        want = clicked / attention(shown.shape[1])
        found.append(
            Truth(
                pa.array(request, pa.string()),
                place.world.products.id[lists.products[shown]],
                clicked[shown],
                want[shown],
            )
        )
    request, *rest = zip(*found, strict=True)
    return Truth(pa.concat_arrays(request), *(np.concatenate(column) for column in rest))


def _day(
    place: Marketplace, day: date, yesterday: Sequence[pa.Table], snapshots: tuple[dict[int, Any], dict[int, Any]]
) -> tuple[dict[str, pa.Table], list[pa.Table]]:
    shown, today, tomorrow = [], list(yesterday), []
    for block in range(place.blocks):
        page = Page(place.world, place.market(day), clock(day, place.zone), block)
        lists, reactions = happen(place, day, block)
        shown.append(_shown(page, lists))
        arrival = page.clock.at(reactions.second)
        table = reaction_table(page, reactions, arrival)
        ends = page.clock.end_ms
        today.append(table.filter(pc.less(table[ARRIVAL], ends)))
        tomorrow.append(table.filter(pc.greater_equal(table[ARRIVAL], ends)))
        _advance(place, day, block, snapshots)
    products, buyers = (list(snapshot.values()) for snapshot in snapshots)
    return {
        SHOWN: pa.concat_tables(shown),
        REACTIONS: _fitting(REACTIONS, pa.concat_tables(today)),
        PRODUCTS: _from_rows(PRODUCTS, products),
        BUYERS: _from_rows(BUYERS, [_account(buyer) for buyer in buyers]),
    }, tomorrow


def _advance(place: Marketplace, day: date, block: int, snapshots: tuple[dict[int, Any], dict[int, Any]]) -> None:
    """Bring the catalogue and the accounts to the end of the day."""
    world, market = place.world, place.market(day)
    before = place.market(day - timedelta(days=1)) if day > place.first_day else None
    for rows in products_changed(world, market, before, place.products_of(block)):
        found = product_documents(world, market, place.zone, rows)
        snapshots[0].update({product["product_id"]: product for product in found})
    for rows in buyers_changed(world, day, place.buyers_of(block)):
        snapshots[1].update({buyer["account_id"]: buyer for buyer in buyer_documents(world, day, place.zone, rows)})


def _shown(page: Page, lists: Lists) -> pa.Table:
    shown, world = lists.shown, page.world
    row, place = np.nonzero(shown)
    request = pa.array(request_ids(page, len(shown)))
    surface = pa.array(SURFACES).take(pa.array(lists.surface[row]))
    columns = {
        "request_id": request.take(pa.array(row)),
        "account_id": world.buyers.id[lists.buyer[row]],
        "ts": pa.array(page.clock.at(lists.second)[row], pa.int64()).cast(pa.timestamp("ms", "UTC")).cast(TIMESTAMP),
        "surface": surface,
        "policy": pa.array(["base"]).take(pa.array(np.zeros(len(row), np.int64))),
        "product_id": world.products.id[lists.products[shown]],
        "position": place + 1,
        "base_score": lists.base_score[shown],
    }
    return pa.table(columns, schema=pa.schema(field for field in EVENT_SCHEMAS[SHOWN] if field.name != "dt"))


def _fitting(name: str, table: pa.Table) -> pa.Table:
    schema = pa.schema(field for field in EVENT_SCHEMAS[name] if field.name != "dt")
    return table.select(schema.names).cast(schema)


def _from_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = pa.schema(field for field in EVENT_SCHEMAS[name] if field.name != "dt")
    return pa.Table.from_pylist([{field: row.get(field) for field in schema.names} for row in rows], schema=schema)


def _account(document: Mapping[str, Any]) -> dict[str, Any]:
    def instant(field: str) -> datetime | None:
        text = document[field]
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z") if text else None

    return {**document, **{name: instant(field) for name, field in ACCOUNT_TIMES.items()}}
