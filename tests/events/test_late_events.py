"""A day knows how many of its events came late, and on-call is told for as long as that matters."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rich.console import Console

from rankloop.contracts.marketplace import COLLECTIONS, INTERACTIONS
from rankloop.desk import events as terminal
from rankloop.events.tasks import clean_day, extract_source, report_late_events
from rankloop.settings import Settings
from rankloop.settings.cleaning import CleaningSettings
from tests.events.shop import DAY, NEXT_DAY, NIGHT, Shop, a_reaction, arriving, at

pytestmark = pytest.mark.stack
NEXT_NIGHT = NIGHT + timedelta(days=1)


@pytest.fixture
def settings(shop: Shop, mongo: str, tmp_path: Path) -> Settings:
    """The settings of the shop, whose day is cleaned; two events came late for it."""
    settings = Settings(home=tmp_path, mongo_uri=SecretStr(mongo), cleaning=CleaningSettings(bad_share=1))
    for source in COLLECTIONS:
        extract_source(settings, DAY, source, NIGHT)
    clean_day(settings, DAY, NIGHT)
    late = (a_reaction(f"late{i}", at(23), _id=arriving(NIGHT + timedelta(hours=2))) for i in range(2))
    shop.add(INTERACTIONS, *late)
    return settings


def told(shop: Shop) -> str:
    console = Console(file=StringIO(), width=200)
    terminal.print_days(console, shop.site.lake)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def alerts(shop: Shop) -> list[tuple[Any, ...]]:
    found = shop.client["rankloop"]["alerts"].find({"kind": "late_events"})
    return [(entry["subject"], entry["state"]) for entry in found]


def test_what_came_late_stands_with_the_day_and_is_told_to_on_call(settings: Settings, shop: Shop) -> None:
    assert "came late" not in told(shop)
    assert [late["events"][INTERACTIONS] for late in report_late_events(settings, NEXT_DAY, NEXT_NIGHT)] == [2]
    assert "came late: 2 interactions (50.0%)" in told(shop)
    assert alerts(shop) == [("2026-11-03", "open")]


def test_a_day_that_took_its_late_events_in_has_none_and_its_alert_is_closed(settings: Settings, shop: Shop) -> None:
    report_late_events(settings, NEXT_DAY, NEXT_NIGHT)
    later = NEXT_NIGHT + timedelta(hours=9)
    extract_source(settings, DAY, INTERACTIONS, later)
    clean_day(settings, DAY, later)
    assert "came late" not in told(shop)
    assert alerts(shop) == [("2026-11-03", "closed")]


def test_a_day_cleaned_again_without_extraction_still_lacks_what_came_late(settings: Settings, shop: Shop) -> None:
    clean_day(settings, DAY, NEXT_NIGHT)
    assert "came late: 2 interactions (50.0%)" in told(shop)
    assert alerts(shop) == [("2026-11-03", "open")]
