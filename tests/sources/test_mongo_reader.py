"""Which documents a market day is made of."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from bson import Int64, ObjectId

from rankloop.calendar import day_bounds
from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS, PERSONAL, PRODUCTS
from rankloop.contracts.sources import FAULTS, SOURCES
from rankloop.mongo import Client, connect
from rankloop.settings.source import SourceSettings
from rankloop.sources.mongo.decoding import projection
from rankloop.sources.mongo.reader import MongoSource
from rankloop.sources.protocol import SourceConfig
from rankloop_demo.simulator.loading import prepare

pytestmark = pytest.mark.stack

HANOI, BERLIN, SANTIAGO = (ZoneInfo(name) for name in ("Asia/Ho_Chi_Minh", "Europe/Berlin", "America/Santiago"))
MS = timedelta(milliseconds=1)
_serial = iter(range(1, 1 << 24))


@pytest.fixture
def client(mongo: str) -> Iterator[Client]:
    client = connect(mongo)
    prepare(client)
    yield client
    client.close()


def click(name: str, ts: object, arrived: datetime | None = None, **changes: object) -> dict[str, Any]:
    moment = arrived or ts
    assert isinstance(moment, datetime)
    identity = int(moment.timestamp()).to_bytes(4, "big") + bytes(5) + next(_serial).to_bytes(3, "big")
    whole = {
        "_id": ObjectId(identity), "interaction_id": name, "account_id": Int64(1), "baid_group": 1, "ts": ts,
        "kind": "click", "product_id": Int64(1), "shop_id": Int64(1), "price": Int64(1), "quantity": 0,
    }  # fmt: skip
    return whole | changes


def add(client: Client, *documents: dict[str, Any]) -> None:
    client["marketplace"][INTERACTIONS].insert_many(documents)


def source_of(client: Client, zone: ZoneInfo = HANOI) -> MongoSource:
    return MongoSource(SourceConfig(SourceSettings(), zone, lambda: client))


def names(client: Client, day: date, zone: ZoneInfo = HANOI) -> list[str]:
    batches = list(source_of(client, zone).read_day(SOURCES[INTERACTIONS], day).batches)
    return sorted(name for batch in batches for name in batch["interaction_id"].to_pylist())


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (HANOI, date(2026, 11, 3), 24),
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (SANTIAGO, date(2026, 9, 6), 23),  # its clocks go forward at midnight, so the day begins at one
    ],
)
def test_a_day_holds_its_first_and_last_instant_and_none_beside_them(
    client: Client, zone: ZoneInfo, day: date, hours: int
) -> None:
    begin, end = day_bounds(day, zone)
    assert end - begin == timedelta(hours=hours)
    moments = {"before": begin - MS, "first": begin, "noon": begin + (end - begin) / 2, "last": end - MS, "after": end}
    add(client, *(click(name, moment) for name, moment in moments.items()))
    assert names(client, day, zone) == ["first", "last", "noon"]


def test_every_event_is_in_exactly_one_day(client: Client) -> None:
    day = date(2026, 10, 24)
    begin, _ = day_bounds(day, BERLIN)
    add(client, *(click(f"{minute:05}", begin + timedelta(minutes=minute)) for minute in range(0, 97 * 60, 7)))
    found = [name for offset in range(4) for name in names(client, day + timedelta(days=offset), BERLIN)]
    assert found == [f"{minute:05}" for minute in range(0, 97 * 60, 7)]


@pytest.mark.parametrize(
    "ts",
    [None, "2026-11-03T12:00:00Z", 1_793_700_000, 1.5, {"at": 1}, [], [datetime(2026, 11, 3, 5, tzinfo=UTC)], True],
)
def test_an_event_without_a_usable_time_is_found_on_the_day_it_arrived(client: Client, ts: object) -> None:
    noon = datetime(2026, 11, 3, 5, tzinfo=UTC)
    add(client, click("odd", ts, noon))
    assert names(client, date(2026, 11, 3)) == ["odd"]
    assert names(client, date(2026, 11, 4)) == names(client, date(2026, 11, 2)) == []


def test_a_time_that_is_an_array_of_times_is_read_once(client: Client) -> None:
    noon = datetime(2026, 11, 3, 5, tzinfo=UTC)
    add(client, click("odd", [noon, noon + timedelta(hours=5)], noon))
    assert names(client, date(2026, 11, 3)) == ["odd"]


def test_an_event_whose_time_lies_before_its_arrival_is_of_the_day_of_its_time(client: Client) -> None:
    noon = datetime(2026, 11, 3, 5, tzinfo=UTC)
    add(client, click("late", noon, noon + timedelta(days=3)))
    assert names(client, date(2026, 11, 3)) == ["late"]
    assert names(client, date(2026, 11, 6)) == []


def test_clocks_may_differ_by_the_skew_and_no_more(client: Client) -> None:
    _, end = day_bounds(date(2026, 11, 3), HANOI)
    for name, ahead in (("near", 299), ("far", 302)):
        add(client, click(name, end + timedelta(seconds=10), end + timedelta(seconds=10 - ahead)))
    assert names(client, date(2026, 11, 3)) == ["far"]
    assert names(client, date(2026, 11, 4)) == ["near"]


def test_a_time_beyond_all_calendars_stops_nothing(client: Client) -> None:
    noon = datetime(2026, 11, 3, 5, tzinfo=UTC)
    add(client, click("x", noon))
    client["marketplace"].command(
        "update", INTERACTIONS, updates=[{"q": {}, "u": [{"$set": {"ts": {"$toDate": Int64(10**15)}}}]}]
    )
    [batch] = source_of(client).read_day(SOURCES[INTERACTIONS], date(2026, 11, 3)).batches
    assert batch[FAULTS].to_pylist() == [
        [{"item": None, "field": "ts", "reason": "future_time", "value": "1000000000000000 ms"}]
    ]


def test_the_documents_that_claim_a_time_within_the_day_are_counted(client: Client) -> None:
    noon = datetime(2026, 11, 3, 5, tzinfo=UTC)
    late, other = click("late", noon, noon + timedelta(days=1)), click("other", noon + timedelta(days=1))
    add(client, click("early", noon), late, other)
    assert source_of(client).count_in_day(SOURCES[INTERACTIONS], date(2026, 11, 3)) == 2


@pytest.mark.parametrize("stray", [None, 7, "own", {"a": 1}])
def test_a_stray_id_does_not_hide_when_events_began(client: Client, stray: object) -> None:
    source, noon = source_of(client), datetime(2026, 11, 3, 5, tzinfo=UTC)
    lists = client["marketplace"][IMPRESSIONS]
    lists.insert_one({"_id": stray, "ts": noon})
    assert not source.has_lists_before(None)
    lists.insert_many([{"_id": ObjectId.from_datetime(noon + timedelta(days=days)), "ts": noon} for days in (1, 0)])
    assert not source.has_lists_before(noon)
    assert source.has_lists_before(noon + timedelta(seconds=1))


def test_a_catalogue_is_read_whole_whatever_its_ids_are(client: Client) -> None:
    client["marketplace"][PRODUCTS].insert_many([{"_id": 7, "product_id": 7}, {"_id": ObjectId(), "product_id": 8}])
    rows = pa.Table.from_batches(source_of(client).read_day(SOURCES[PRODUCTS], date(2026, 11, 3)).batches)
    assert {row["product_id"]: row["id"] for row in rows.to_pylist()}[7].startswith("7 #")
    assert len(rows) == 2


def test_a_day_with_nothing_gives_no_rows(client: Client) -> None:
    assert names(client, date(2026, 11, 3)) == []


def test_no_personal_field_is_asked_of_mongodb() -> None:
    assert not PERSONAL & {name for source in SOURCES.values() for name in projection(source)}
