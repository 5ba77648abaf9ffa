"""Clean events straight from the simulator, in a lake, without MongoDB."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bson
import ibis
import pandas as pd
import pyarrow as pa

from rankloop.contracts import marketplace as source
from rankloop.contracts.lake import BUYERS, CLEANED, DAY, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.engine.protocol import Engine
from rankloop.lake.day_facts import write_facts
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop_demo.simulator.living import Marketplace, live
from rankloop_demo.simulator.storefront import Rankings
from tests.building import aggregate_day, build_features, lake_of

FIRST_DAY = date(2026, 10, 1)
ZONE = "Asia/Ho_Chi_Minh"
MILLISECOND = bson.CodecOptions(tz_aware=True)

DayOfEvents = Mapping[str, pa.Table]
"""By table of the lake, a day's rows."""


def settings_for(folder: Path, **features: Any) -> Settings:  # noqa: ANN401  (any setting)
    """Settings with a home of their own."""
    return Settings(home=folder, features=FeatureSettings(**features))


def put(settings: Settings, day: date, events: DayOfEvents) -> None:
    """Make these the day's events in the lake."""
    for table, rows in events.items():
        lake_of(settings).replace_day(table, day, rows, EVENT_SCHEMAS[table])
    write_facts(lake_of(settings), CLEANED, day, {})


def clean_events(
    place: Marketplace, days: Iterable[date], rankings: Mapping[date, Rankings] | None = None
) -> dict[date, DayOfEvents]:
    """What extraction would find on each of these days, oldest first, of a marketplace without dirt.

    `rankings` are what buyers are shown in place of base lists, by day.
    """
    catalogue: dict[int, dict[str, Any]] = {}
    accounts: dict[int, dict[str, Any]] = {}
    carried: list[pa.Table | None] = [None] * place.blocks
    events: dict[date, DayOfEvents] = {}
    for day in days:
        lists, reactions = [], []
        for block in range(place.blocks):
            arrivals = live(place, day, block, carried[block], (rankings or {}).get(day))
            carried[block] = arrivals.tomorrow
            lists += [bson.decode(document, MILLISECOND) for document in arrivals.new[source.IMPRESSIONS]]
            reactions += arrivals.new[source.INTERACTIONS]
            for snapshot, name, key in (
                (catalogue, source.PRODUCTS, "product_id"),
                (accounts, source.BUYERS, "account_id"),
            ):
                found = (*arrivals.new.get(name, ()), *arrivals.changed.get(name, ()))
                snapshot.update({document[key]: document for document in found})
        events[day] = {
            SHOWN: table(SHOWN, day, [{**shown, **item} for shown in lists for item in shown["items"]]),
            REACTIONS: table(REACTIONS, day, [{**found, "ts": found["ts"].as_datetime()} for found in reactions]),
            PRODUCTS: table(PRODUCTS, day, catalogue.values()),
            BUYERS: table(BUYERS, day, [_account(account) for account in accounts.values()]),
        }
    return events


def _account(document: Mapping[str, Any]) -> dict[str, Any]:
    def instant(field: str) -> datetime | None:
        text = document[field]
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z") if text else None

    times = {"created_at": "utc_created_at", "updated_at": "utc_updated_at", "latest_order_at": "latest_order_date"}
    return {**document, **{name: instant(field) for name, field in times.items()}}


def table(name: str, day: date, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the lake has them; what a row lacks is empty."""
    schema = EVENT_SCHEMAS[name]
    return pa.Table.from_pylist(
        [{**{field: row.get(field) for field in schema.names}, DAY: day} for row in rows], schema=schema
    )


def instant(day: date, hour: int = 12, second: int = 0) -> datetime:
    """A moment of a market day, by the market's clocks."""
    return datetime.combine(day, time(hour, second // 60, second % 60), tzinfo=ZoneInfo(ZONE))


def product(product_id: int, **other: Any) -> dict[str, Any]:  # noqa: ANN401  (any field)
    """A product of a plain kind."""
    plain = {
        "name": "máy_may gia_đình juki",
        "category_path": "1/2/1108/4000",
        "shop_id": 7,
        "original_price": 100_000,
        "final_price": 100_000,
        "is_free_ship": False,
        "created_at": instant(FIRST_DAY - timedelta(days=100)),
        "status": "active",
    }
    return {"product_id": product_id, **plain, **other}


def account(account_id: int, **other: Any) -> dict[str, Any]:  # noqa: ANN401  (any field)
    """A buyer of a plain kind."""
    plain = {"created_at": instant(FIRST_DAY - timedelta(days=50)), "total_order": 0.0, "baid_group": account_id % 10}
    return {"account_id": account_id, **plain, **other}


def shown_list(day: date, request_id: str, account_id: int, products: Sequence[int]) -> list[dict[str, Any]]:
    """A list shown, best base score first."""
    return [
        {
            "request_id": request_id,
            "account_id": account_id,
            "ts": instant(day),
            "surface": "home",
            "policy": "base",
            "product_id": product_id,
            "position": place + 1,
            "base_score": 1 - place / 1000,
        }
        for place, product_id in enumerate(products)
    ]


def reaction(day: date, kind: str, account_id: int, product_id: int, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """Something a buyer did."""
    plain = {"ts": instant(day, 13), "shop_id": 7, "price": 100_000, "quantity": 1 if kind == "order" else 0}
    return {"kind": kind, "account_id": account_id, "product_id": product_id, **plain, **other}


def day_of(
    day: date,
    *,
    shown: Iterable[Mapping[str, Any]] = (),
    reactions: Iterable[Mapping[str, Any]] = (),
    products: Iterable[Mapping[str, Any]] = (),
    buyers: Iterable[Mapping[str, Any]] = (),
) -> DayOfEvents:
    """A day made by hand."""
    return {
        SHOWN: table(SHOWN, day, shown),
        REACTIONS: table(REACTIONS, day, reactions),
        PRODUCTS: table(PRODUCTS, day, products),
        BUYERS: table(BUYERS, day, buyers),
    }


def build(settings: Settings, days: Mapping[date, DayOfEvents]) -> None:
    """Put these days into the lake, aggregate each, and build the features as of the last."""
    for day, events in days.items():
        put(settings, day, events)
        aggregate_day(settings, day)
    build_features(settings, max(days))


def rows(settings: Settings, table: str, day: date) -> list[dict[str, Any]]:
    """A table's rows of a day, in their order, without `dt`."""
    lake = lake_of(settings)
    found: list[dict[str, Any]] = lake.read(table, [day]).drop_columns([DAY]).to_pylist() if lake.has(table) else []
    return found


def in_memory(engine: Engine, rows: pd.DataFrame | pa.Table) -> Any:  # noqa: ANN401  (Ibis ships no types)
    """Rows as a table of an engine, without a file."""
    return engine.materialise(ibis.memtable(rows))
