"""A day's events against what is usual: what is wrong shows where it should, and quiet days stay within."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given

from rankloop.calendar import days_between
from rankloop.contracts.lake import EVENT_SCHEMAS, PRODUCTS, REACTIONS
from rankloop.contracts.sources import SOURCES
from rankloop.events.column_profiles import column_profiles
from rankloop.events.summaries import DaySummary, SourceSummary, save_day_summary
from rankloop.events.validation_db import ValidationDatabase
from rankloop.monitoring.measure.baseline import DEVIATIONS, baseline_of
from rankloop.monitoring.measure.measurements import Measurement, read_measurements
from rankloop.monitoring.measure.quality import PRICE, PRICES, SHOP
from rankloop.monitoring.measure.tables import QUALITY, SCHEMA
from rankloop.monitoring.policy.rules import RULES
from rankloop.settings import Settings
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.scenarios import Scenarios
from tests.building import lake_of
from tests.features.market import FIRST_DAY, ZONE, DayOfEvents, clean_events, put
from tests.monitoring.entries import measure_quality

pytestmark = pytest.mark.stack

DAYS = list(days_between(FIRST_DAY, FIRST_DAY + timedelta(days=8)))
TODAY = DAYS[-1]
Found = dict[tuple[str, str, str], Measurement]


def market(*, bug_from: date | None = None) -> Mapping[date, DayOfEvents]:
    """Nine days of a marketplace, in which the largest shop's prices may lose three digits from a day on."""
    scenarios = Scenarios({"unit_bug": bug_from} if bug_from else {})
    place = Marketplace(seed=7, scale=0.05, first_day=FIRST_DAY, timezone=ZONE, dirt=False, scenarios=scenarios)
    return clean_events(place, DAYS)


@pytest.fixture(scope="module")
def calm() -> Mapping[date, DayOfEvents]:
    return market()


@pytest.fixture(scope="module")
def broken() -> Mapping[date, DayOfEvents]:
    return market(bug_from=DAYS[-2])


def lay(folder: Path, days: Mapping[date, DayOfEvents], bad: Mapping[tuple[date, str], int] | None = None) -> Settings:
    """These days in a lake, each with the facts that cleaning notes of it; `bad` rows are in quarantine."""
    settings = Settings(home=folder)
    for day, events in days.items():
        put(settings, day, events)
        sources = {name: facts_of(name, events, (bad or {}).get((day, name), 0)) for name in SOURCES}
        save_day_summary(lake_of(settings), DaySummary(day.isoformat(), "", sources))
    return settings


def facts_of(name: str, events: DayOfEvents, bad: int) -> SourceSummary:
    table, rows = SOURCES[name].table, events[SOURCES[name].table]
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        columns = column_profiles(ValidationDatabase(connection), "rows", EVENT_SCHEMAS[table])
    return SourceSummary(table, len(rows) + bad, len(rows), bad, 0, {"bad_price": bad} if bad else {}, profile=columns)


def measured(settings: Settings, day: date = TODAY) -> Found:
    """The day's measures by signal, subject and measure."""
    assert "skipped" not in measure_quality(settings, day)
    found = {(one.signal, one.subject, one.measure): one for one in read_measurements(lake_of(settings), QUALITY, day)}
    assert lake_of(settings).read(QUALITY, [day]).schema.names == SCHEMA.names
    return found


def unusual(found: Found) -> set[tuple[str, str, str]]:
    """What lies outside of its usual range."""
    return {
        key
        for key, one in found.items()
        if one.low is not None and one.high is not None and not one.low <= one.value <= one.high
    }


def named(found: Found) -> set[str]:
    """The measures that name a shop."""
    return {measure for signal, _, measure in found if signal == SHOP}


def without(days: Mapping[date, DayOfEvents], table: str, rows: pa.Table) -> Mapping[date, DayOfEvents]:
    """The same days with other rows of one table today."""
    return {**days, TODAY: {**days[TODAY], table: rows}}


def test_a_quiet_day_keeps_within_what_is_usual(calm: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    found = measured(lay(tmp_path, calm))
    assert unusual(found) == set()
    known = found["source", "impressions", "rows"]
    usual_rows = np.median([calm[day]["events/impressions"].num_rows for day in DAYS[-8:-1]])
    assert (known.value, known.expected) == (calm[TODAY]["events/impressions"].num_rows, usual_rows)
    price = calm[TODAY][PRODUCTS]["final_price"].to_numpy()
    assert found["column", "products.final_price", "median"].value == np.median(price)
    assert found["column", "products.final_price", "p05"].value == pytest.approx(np.quantile(price, 0.05))
    assert all(one.expected is not None for one in found.values())


def test_prices_in_another_unit_show_on_the_day_and_on_those_after(
    broken: Mapping[date, DayOfEvents], tmp_path: Path
) -> None:
    days = broken
    settings = lay(tmp_path, days)
    on_the_day, the_day_after = (measured(settings, day) for day in DAYS[-2:])
    jumped, off = (("column", "products.final_price", name) for name in ("jumped", "off_scale"))
    shop = pc.mode(days[TODAY][PRODUCTS]["shop_id"])[0]["mode"].as_py()
    share = pc.mean(pc.equal(days[TODAY][PRODUCTS]["shop_id"], shop).cast(pa.float64())).as_py()
    assert {jumped, off} <= unusual(on_the_day)
    assert on_the_day[jumped].value == pytest.approx(share, rel=0.2)
    assert jumped not in unusual(the_day_after)
    assert off in unusual(the_day_after)


def test_prices_in_another_unit_name_the_shop(broken: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    settings = lay(tmp_path, broken)
    on_the_day, the_day_after = (measured(settings, day) for day in DAYS[-2:])
    goods = broken[DAYS[-3]][PRODUCTS]
    shop = pc.mode(broken[TODAY][PRODUCTS]["shop_id"])[0]["mode"].as_py()
    assert named(on_the_day) == {f"jumped {shop}", f"off_scale {shop}"}
    assert named(the_day_after) == {f"off_scale {shop}"}
    theirs = on_the_day[SHOP, PRICES, f"jumped {shop}"]
    there_before = pc.sum(pc.equal(goods["shop_id"], shop)).as_py()
    assert (theirs.value, theirs.rows, theirs.expected) == (1.0, there_before, 0.0)


def test_prices_off_in_many_shops_are_laid_to_none(calm: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    rows = calm[TODAY][PRODUCTS]
    place = rows.column_names.index(PRICE)
    cheap = pa.array([price // 1000 for price in rows[PRICE].to_pylist()], pa.int64())
    found = measured(lay(tmp_path, without(calm, PRODUCTS, rows.set_column(place, PRICE, cheap))))
    assert ("column", PRICES, "jumped") in unusual(found)
    assert named(found) == set()


def test_no_rule_looks_at_what_shops_are_like() -> None:
    assert SHOP not in {read.signal for rule in RULES for read in rule.reads}


def test_a_source_gone_quiet_shows(calm: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    found = measured(lay(tmp_path, without(calm, REACTIONS, calm[TODAY][REACTIONS].slice(0, 0))))
    assert ("source", "interactions", "rows") in unusual(found)
    assert found["source", "interactions", "rows"].value == 0


def test_a_column_that_is_empty_in_part_shows(calm: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    rows = calm[TODAY][REACTIONS]
    named = rows["request_id"].to_pylist()
    place = rows.column_names.index("request_id")
    fewer = pa.array([None if number % 4 == 0 else name for number, name in enumerate(named)], pa.string())
    found = measured(lay(tmp_path, without(calm, REACTIONS, rows.set_column(place, "request_id", fewer))))
    assert ("column", "interactions.request_id", "nulls") in unusual(found)


def test_quarantine_shows_by_its_reason(calm: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    rows = calm[TODAY][REACTIONS].num_rows
    found = measured(lay(tmp_path, calm, {(TODAY, "interactions"): rows // 10}))
    of = ("source", "interactions")
    assert unusual(found) == {(*of, "quarantined_share"), (*of, "quarantined_share bad_price")}
    assert found[*of, "quarantined_share bad_price"].value == (rows // 10) / (rows + rows // 10)


def test_measured_again_it_is_the_same(broken: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    settings = lay(tmp_path, broken)
    assert measure_quality(settings, TODAY)["digest"] == measure_quality(settings, TODAY)["digest"]


def test_the_first_day_has_nothing_to_be_held_against(calm: Mapping[date, DayOfEvents], tmp_path: Path) -> None:
    found = measured(lay(tmp_path, {DAYS[0]: calm[DAYS[0]]}), DAYS[0])
    assert {one.expected for one in found.values()} == {None}


def test_a_day_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    assert "are not in the lake" in measure_quality(Settings(home=tmp_path), TODAY)["skipped"]


# What is usual


values = st.lists(st.floats(0, 1e9), min_size=3, max_size=30)


@given(values, st.sampled_from(["count", "share", "level"]), st.randoms(use_true_random=False))
def test_what_is_usual_does_not_hang_on_the_order_of_days(history: list[float], kind: str, chance: Any) -> None:  # noqa: ANN401
    if kind == "share":
        history = [value / 1e9 for value in history]
    shuffled = list(history)
    chance.shuffle(shuffled)
    known = baseline_of(kind, history, 100)
    assert known == baseline_of(kind, shuffled, 100)
    assert known
    assert known.low <= known.value <= known.high
    assert known.value == pytest.approx(float(np.median(history)))


@given(st.lists(st.floats(100, 200), min_size=5, max_size=20), st.floats(0, 1e9))
def test_one_odd_day_moves_what_is_usual_no_further_than_to_another_day(history: list[float], odd: float) -> None:
    known = baseline_of("level", [*history, odd], 1)
    assert known
    assert min(history) <= known.value <= max(history)


@given(st.integers(50, 10_000), st.integers(0, 2**32 - 1))
def test_counts_that_only_chance_moves_are_usual(mean: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).poisson(mean, 8)
    known = baseline_of("count", drawn[:-1].tolist(), 1)
    assert known
    assert abs(drawn[-1] - known.value) <= DEVIATIONS * np.sqrt(mean) * 2
    assert known.high - known.low >= 2 * DEVIATIONS * np.sqrt(known.value) * 0.99


def test_two_days_are_not_usual() -> None:
    assert baseline_of("count", [1.0, float("nan"), 2.0], 1) is None
