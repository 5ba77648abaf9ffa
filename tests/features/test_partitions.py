"""Partitions know by which definition they were computed: mixing two is refused, and the stale ones are named."""

import logging
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from rankloop.cli.main import app
from rankloop.features.catalogue import BUILT_IN
from rankloop.features.definitions import table_definitions
from rankloop.features.partitions import MixedDefinitionsError, find_stale_partitions
from rankloop.settings import PREFIX, Settings, load_settings
from tests.building import aggregate_day, build_features, lake_of
from tests.features.market import (
    FIRST_DAY,
    ZONE,
    account,
    day_of,
    product,
    put,
    reaction,
    settings_for,
    shown_list,
)

SECOND_DAY = FIRST_DAY + timedelta(days=1)
BUYERS_DAY = "daily/buyer"


def put_a_day(settings: Settings, day: date) -> None:
    shown = shown_list(day, f"q{day}", 1, [1])
    clicks = [reaction(day, "click", 1, 1, request_id=f"q{day}")]
    put(settings, day, day_of(day, shown=shown, reactions=clicks, products=[product(1)], buyers=[account(1)]))


def make_days(settings: Settings, *days: date) -> None:
    for day in days:
        put_a_day(settings, day)
        aggregate_day(settings, day)
        build_features(settings, day)


def forget_definitions(settings: Settings, table: str, day: date) -> None:
    """Write a day again as a Rankloop did that noted no definition."""
    lake = lake_of(settings)
    rows = lake.read(table, [day])
    lake.replace_day(table, day, rows, rows.schema)


def test_each_partition_says_how_its_columns_were_computed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    make_days(settings, FIRST_DAY)
    lake, current = lake_of(settings), table_definitions(settings.features, ZoneInfo(ZONE))
    for builder in (*BUILT_IN.daily, *BUILT_IN.as_of):
        assert lake.last_commit(builder.spec.name, FIRST_DAY).definitions == current[builder.spec.name]


def test_a_build_that_would_mix_two_definitions_is_refused_and_says_which(tmp_path: Path) -> None:
    before, after = settings_for(tmp_path), settings_for(tmp_path, fresh_days=21)
    make_days(before, FIRST_DAY)
    put_a_day(after, SECOND_DAY)
    aggregate_day(after, SECOND_DAY)
    old, new = (table_definitions(each.features, each.zone)[BUYERS_DAY]["fresh"] for each in (before, after))
    with pytest.raises(MixedDefinitionsError) as refused:
        build_features(after, SECOND_DAY)
    assert str(refused.value) == (
        f"features as of {SECOND_DAY}: {BUYERS_DAY} has fresh of 2 definitions, {FIRST_DAY} by {old} and {SECOND_DAY} "
        f"by {new}. Rebuild the days that `rankloop features stale` names, and train again where a model learned from "
        "them; or set RANKLOOP_FEATURES__ALLOW_MIXED=true to use them side by side."
    )


def test_mixing_two_definitions_can_be_allowed_and_is_then_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_days(settings_for(tmp_path), FIRST_DAY)
    allowing = settings_for(tmp_path, fresh_days=21, allow_mixed=True)
    with caplog.at_level(logging.WARNING):
        make_days(allowing, SECOND_DAY)
    assert f"{BUYERS_DAY} has fresh of 2 definitions" in caplog.text


def test_stale_days_are_named_until_they_are_rebuilt(tmp_path: Path) -> None:
    before, after = settings_for(tmp_path), settings_for(tmp_path, fresh_days=21)
    make_days(before, FIRST_DAY, SECOND_DAY)
    report = find_stale_partitions(lake_of(after), after.features, after.zone)
    assert {(part.table, part.changed, part.lacking) for part in report.stale} == {
        (BUYERS_DAY, ("fresh",), ()),
        ("features/buyer", ("buyer_fresh_share",), ()),
    }
    assert (report.aggregates, report.features, report.unknown) == ([FIRST_DAY, SECOND_DAY],) * 2 + (0,)
    make_days(after, FIRST_DAY, SECOND_DAY)
    assert not find_stale_partitions(lake_of(after), after.features, after.zone).stale


def test_a_partition_of_an_unknown_definition_is_taken_to_fit(tmp_path: Path) -> None:
    before, after = settings_for(tmp_path), settings_for(tmp_path, fresh_days=21)
    make_days(before, FIRST_DAY)
    forget_definitions(before, BUYERS_DAY, FIRST_DAY)
    make_days(after, SECOND_DAY)
    report = find_stale_partitions(lake_of(after), after.features, after.zone)
    assert report.unknown == 1
    assert {part.table for part in report.stale} == {"features/buyer"}


def test_the_command_line_names_stale_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_days(settings_for(tmp_path), FIRST_DAY, SECOND_DAY)
    monkeypatch.setenv(f"{PREFIX}HOME", str(tmp_path))
    load_settings.cache_clear()
    assert "No day is stale" in CliRunner().invoke(app, ["features", "stale"]).stdout
    monkeypatch.setenv(f"{PREFIX}FEATURES__PRIOR_CLICKS", "30")
    load_settings.cache_clear()
    said = " ".join(CliRunner().invoke(app, ["features", "stale"]).stdout.split())
    load_settings.cache_clear()
    assert f"Rebuild 2 days, oldest first: {FIRST_DAY} to {SECOND_DAY}. Clear the tasks build of" in said
    assert "product_cart_rate" in said
