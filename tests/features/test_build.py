"""The tasks that build a day: what they refuse, and what they say."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankloop.cli.main import app
from rankloop.contracts.cleaning import DEAREST, MOST_UNITS
from rankloop.engine.opening import open_engine
from rankloop.features.build import BuildResult, FeatureError, MissingAggregatesError
from rankloop.features.buyer_profile import UnknownBuyerError, buyer_profile
from rankloop.settings import PREFIX, Settings, load_settings
from tests.building import aggregate_day, build_features, lake_of, window_is_complete
from tests.features.market import (
    FIRST_DAY,
    account,
    build,
    day_of,
    product,
    put,
    reaction,
    rows,
    settings_for,
    shown_list,
)

BUYER = 1
Task = Callable[[Settings, date], BuildResult]


def put_a_day(settings: Settings, number: int) -> None:
    day = FIRST_DAY + timedelta(days=number)
    shown = shown_list(day, f"q{number}", BUYER, [1])
    looks = [reaction(day, "click", BUYER, 1, request_id=f"q{number}")]
    put(settings, day, day_of(day, shown=shown, reactions=looks, products=[product(1)], buyers=[account(BUYER)]))


@pytest.mark.parametrize("task", [aggregate_day, build_features])
def test_a_day_that_is_not_cleaned_is_refused_and_says_what_to_clear(tmp_path: Path, task: Task) -> None:
    with pytest.raises(FeatureError, match=r"2026-10-01 was not cleaned yet.*clear its tasks"):
        task(settings_for(tmp_path), FIRST_DAY)


def test_features_of_a_day_that_is_not_aggregated_are_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    put_a_day(settings, 0)
    with pytest.raises(MissingAggregatesError, match=f"lacks {FIRST_DAY}"):
        build_features(settings, FIRST_DAY)


def test_a_gap_within_the_window_is_refused_by_name_unless_it_is_allowed(tmp_path: Path) -> None:
    settings, last = settings_for(tmp_path), FIRST_DAY + timedelta(days=2)
    for number in (0, 2):
        put_a_day(settings, number)
        aggregate_day(settings, FIRST_DAY + timedelta(days=number))
    with pytest.raises(MissingAggregatesError, match=r"2026-10-02.*RANKLOOP_FEATURES__ALLOW_GAPS"):
        build_features(settings, last)
    facts = build_features(settings_for(tmp_path, allow_gaps=True), last)
    assert facts.days == (FIRST_DAY, last)


def test_a_day_waits_for_those_since_events_began_and_for_none_before(tmp_path: Path) -> None:
    settings, last = settings_for(tmp_path), FIRST_DAY + timedelta(days=2)
    put_a_day(settings, 2)
    aggregate_day(settings, last)
    assert window_is_complete(settings, last, begun=last)
    assert not window_is_complete(settings, last, begun=FIRST_DAY + timedelta(days=1))
    put_a_day(settings, 1)
    aggregate_day(settings, FIRST_DAY + timedelta(days=1))
    assert window_is_complete(settings, last, begun=FIRST_DAY + timedelta(days=1))


def test_a_day_waits_for_its_whole_window_where_nobody_knows_when_events_began(tmp_path: Path) -> None:
    put_a_day(settings_for(tmp_path), 0)
    aggregate_day(settings_for(tmp_path), FIRST_DAY)
    assert not window_is_complete(settings_for(tmp_path), FIRST_DAY, begun=None)
    assert window_is_complete(settings_for(tmp_path, allow_gaps=True), FIRST_DAY, begun=None)


def test_a_day_on_which_nobody_did_anything_has_features_too(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    events = day_of(
        FIRST_DAY, shown=shown_list(FIRST_DAY, "q1", BUYER, [1]), products=[product(1)], buyers=[account(BUYER)]
    )
    build(settings, {FIRST_DAY: events})
    [known] = rows(settings, "features/product", FIRST_DAY)
    assert (known["product_shown_1d"], known["product_clicks_1d"], known["product_ctr"]) == (1, 0, 0.0)


def test_the_dearest_and_largest_orders_that_are_clean_can_be_summed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    order = reaction(FIRST_DAY, "order", BUYER, 1, price=DEAREST, quantity=MOST_UNITS)
    build(settings, {FIRST_DAY: day_of(FIRST_DAY, reactions=[order] * 50, products=[product(1)])})
    [known] = rows(settings, "features/buyer", FIRST_DAY)
    assert known["buyer_spent_28d"] == 50 * 10**11 * MOST_UNITS


def test_the_facts_of_a_task_are_json(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    put_a_day(settings, 0)
    facts = aggregate_day(settings, FIRST_DAY)
    summary = json.loads(json.dumps(facts.summary()))
    assert summary["tables"]["daily/buyer"]["rows"] == 1
    assert len(summary["tables"]["daily/buyer"]["digest"]) == 16


def test_the_profile_of_an_unknown_buyer_says_how_far_features_reach(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    put_a_day(settings, 0)
    aggregate_day(settings, FIRST_DAY)
    build_features(settings, FIRST_DAY)
    message = "features reach from 2026-10-01 to 2026-10-01"
    with open_engine(settings.features) as engine, pytest.raises(UnknownBuyerError, match=message):
        buyer_profile(lake_of(settings), engine, 5, FIRST_DAY)


def test_the_command_line_builds_a_day_and_shows_a_buyer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_a_day(settings_for(tmp_path), 0)
    monkeypatch.setenv(f"{PREFIX}HOME", str(tmp_path))
    load_settings.cache_clear()
    day = ["--day", FIRST_DAY.isoformat()]
    built = CliRunner().invoke(app, ["features", "build", *day])
    shown = CliRunner().invoke(app, ["features", "show", "--buyer", str(BUYER), *day])
    load_settings.cache_clear()
    assert "features/buyer_price" in built.output
    assert "máy_may" in shown.output
    assert "1/2/1108/4000" in shown.output
