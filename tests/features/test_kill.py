"""Aggregating or building a day that is killed at a write and done again leaves what an undisturbed one leaves."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from rankloop.features.build import MissingAggregatesError
from rankloop.features.catalogue import AS_OF, DAILY
from rankloop.settings import Settings
from tests.building import aggregate_day, build_features, lake_of, window_is_complete
from tests.features.market import FIRST_DAY, account, day_of, product, put, reaction, settings_for, shown_list
from tests.features.victims import do
from tests.killing import Point, forks

pytestmark = pytest.mark.stack

COMMIT, STREAM = "rankloop.lake.tables:Lake._commit", "rankloop.lake.tables:write_partition_file"
DAY, NEXT_DAY = FIRST_DAY, FIRST_DAY + timedelta(days=1)
TABLES = [builder.spec.name for builder in (*DAILY, *AS_OF)]
# The day is marked as under way, its tables follow, and at last it is marked as whole.
AGGREGATING = [Point(COMMIT, call, after=True) for call in range(1, len(DAILY) + 2)]
BUILDING = [Point(COMMIT, call, after=True) for call in (1, 4, len(AS_OF) - 1)]


def put_day(settings: Settings, number: int, *, clicks: int) -> None:
    day = FIRST_DAY + timedelta(days=number)
    put(
        settings,
        day,
        day_of(
            day,
            shown=shown_list(day, f"q{number}", 1, [1, 2]),
            reactions=[reaction(day, "click", 1, 1, request_id=f"q{number}")] * clicks,
            products=[product(1), product(2)],
            buyers=[account(1)],
        ),
    )


def digests(settings: Settings) -> dict[str, str]:
    lake = lake_of(settings)
    return {f"{table} {day}": lake.digest(table, day) for table in TABLES for day in lake.days(table)}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two days of features, the first of which now has other events than it was made from."""
    settings = settings_for(tmp_path_factory.mktemp("before") / "home")
    for number in (0, 1):
        put_day(settings, number, clicks=1)
        aggregate_day(settings, FIRST_DAY + timedelta(days=number))
        build_features(settings, FIRST_DAY + timedelta(days=number))
    put_day(settings, 0, clicks=3)
    return settings


@pytest.fixture(scope="module")
def expected(before: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What both days amount to once they are made of the new events, if nothing happens on the way."""
    settings = settings_for(shutil.copytree(before.home, tmp_path_factory.mktemp("undisturbed") / "home"))
    aggregate_day(settings, DAY)
    for day in (DAY, NEXT_DAY):
        build_features(settings, day)
    assert digests(settings) != digests(before)
    return digests(settings)


@pytest.fixture
def market(before: Settings, tmp_path: Path) -> Settings:
    """The same for one test alone."""
    return settings_for(shutil.copytree(before.home, tmp_path / "home"))


def killed(task: str, settings: Settings, point: Point) -> int | None:
    victim = forks.Process(target=do, args=(task, settings, DAY, point))
    victim.start()
    victim.join(timeout=120)
    return victim.exitcode


@pytest.mark.parametrize("point", [*AGGREGATING, Point(STREAM, 3, after=True)], ids=str)
def test_a_day_half_aggregated_holds_up_those_that_look_back_on_it_until_it_is_whole(
    market: Settings, expected: dict[str, str], point: Point
) -> None:
    assert killed("aggregate_day", market, point) == -9
    for day in (DAY, NEXT_DAY):
        assert not window_is_complete(market, day, begun=DAY)
        with pytest.raises(MissingAggregatesError, match=f"lacks {DAY}"):
            build_features(market, day)
    aggregate_day(market, DAY)
    for day in (DAY, NEXT_DAY):
        assert window_is_complete(market, day, begun=DAY)
        build_features(market, day)
    assert digests(market) == expected


@pytest.mark.parametrize("point", [*BUILDING, Point(STREAM, 3, after=True)], ids=str)
def test_a_day_half_built_and_built_again_is_the_same(market: Settings, expected: dict[str, str], point: Point) -> None:
    aggregate_day(market, DAY)
    assert killed("build_features", market, point) == -9
    for day in (DAY, NEXT_DAY):
        build_features(market, day)
    assert digests(market) == expected


def test_the_first_day_of_all_is_waited_for_though_it_was_only_begun(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    put_day(settings, 0, clicks=1)
    assert killed("aggregate_day", settings, Point(COMMIT, 3, after=True)) == -9
    put_day(settings, 1, clicks=1)
    aggregate_day(settings, NEXT_DAY)
    with pytest.raises(MissingAggregatesError, match=f"lacks {DAY}"):
        build_features(settings, NEXT_DAY)
