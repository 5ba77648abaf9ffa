"""A day done at once is the day done in steps, and it waits for the days that it looks back on."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from bson import ObjectId

from rankloop.calendar import start_of
from rankloop.context import Context, open_context
from rankloop.contracts.marketplace import IMPRESSIONS
from rankloop.contracts.sources import SOURCES
from rankloop.events.extraction import extract_day
from rankloop.events.tasks import clean_day, first_day_of_events
from rankloop.features.build import MissingAggregatesError
from rankloop.features.whole_day import build_days
from rankloop.mongo import SHOP_DB
from rankloop.settings import Settings
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.loading import prepare
from tests.building import aggregate_day, build_features, lake_of
from tests.mongo_server import serving

pytestmark = pytest.mark.stack

DAYS = [date(2026, 11, 1), date(2026, 11, 2)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two days of a small marketplace in MongoDB."""
    folder = tmp_path_factory.mktemp("whole_day")
    with serving(folder / "mongo") as address:
        list(live_days(Marketplace(7, 0.05, DAYS[0], "Asia/Ho_Chi_Minh"), DAYS, Diary(address, folder / "truth")))
        yield address


def settings_of(address: str, home: Path) -> Settings:
    return Settings(home=home, mongo_uri=address)


def night_after(settings: Settings, day: date) -> datetime:
    return start_of(day + timedelta(days=1), settings.zone) + timedelta(hours=1)


def built(context: Context, days: list[date], now: datetime, earlier_within_s: float = 9) -> None:
    engine, features = context.engine, context.settings.features
    build_days(context.ingestion, engine, features, days, now, earlier_within_s=earlier_within_s)


def digests(settings: Settings) -> dict[str, str]:
    lake = lake_of(settings)
    tables = (table for table in lake.tables() if not table.startswith("facts/"))
    return {f"{table} {day}": lake.digest(table, day) for table in tables for day in lake.days(table)}


def test_it_leaves_what_the_steps_leave(address: str, tmp_path: Path) -> None:
    steps, at_once = settings_of(address, tmp_path / "steps"), settings_of(address, tmp_path / "at_once")
    now = night_after(steps, DAYS[-1])
    with open_context(steps) as context:
        for day in DAYS:
            for source in SOURCES:
                extract_day(context.ingestion, day, source, now)
            clean_day(context.ingestion, day, now)
            aggregate_day(steps, day)
            build_features(steps, day)
    with open_context(at_once) as context:
        built(context, DAYS, now)
    assert digests(at_once) == digests(steps)
    assert {"features/product 2026-11-01", "features/product 2026-11-02"} <= set(digests(at_once))


@pytest.mark.parametrize(
    ("day", "first"),
    [
        (date(2026, 10, 30), date(2026, 10, 31)),
        (date(2026, 10, 31), date(2026, 11, 1)),
        (date(2026, 11, 1), date(2026, 11, 1)),
        (date(2026, 11, 2), date(2026, 11, 1)),
        (date(2026, 11, 28), date(2026, 11, 1)),
        (date(2026, 12, 5), date(2026, 11, 8)),
    ],
)
def test_a_day_looks_back_to_the_first_day_of_events_or_to_the_begin_of_its_window(
    address: str, tmp_path: Path, day: date, first: date | None
) -> None:
    with open_context(settings_of(address, tmp_path)) as context:
        assert first_day_of_events(context.ingestion, day) == first


def test_the_first_day_need_not_wait_for_days_before_it_though_a_nightly_job_writes_its_events(tmp_path: Path) -> None:
    """All ids of the day are of the day after it."""
    day = DAYS[0]
    with serving(tmp_path / "mongo") as address, open_context(settings_of(address, tmp_path / "home")) as context:
        prepare(context.state)
        assert first_day_of_events(context.ingestion, day) is None
        night = ObjectId.from_datetime(night_after(context.settings, day))
        context.state[SHOP_DB][IMPRESSIONS].insert_one({"_id": night, "ts": start_of(day, context.settings.zone)})
        assert first_day_of_events(context.ingestion, day) == day + timedelta(days=1)
        assert first_day_of_events(context.ingestion, DAYS[1]) == DAYS[1]


def test_it_waits_for_earlier_days_and_says_so_when_they_do_not_come(address: str, tmp_path: Path) -> None:
    settings = settings_of(address, tmp_path)
    now = night_after(settings, DAYS[1])
    with open_context(settings) as context:
        with pytest.raises(MissingAggregatesError, match="features of 2026-11-02 waited 0 s for days before it"):
            built(context, [DAYS[1]], now, earlier_within_s=0)
        assert not context.lake.days("features/product")
        built(context, [DAYS[0]], now)
        built(context, [DAYS[1]], now)
        assert context.lake.days("features/product") == DAYS
