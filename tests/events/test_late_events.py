"""A day knows how many of its events came late, and on-call is told for as long as that matters."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from rankloop.contracts.marketplace import COLLECTIONS, INTERACTIONS
from rankloop.desk import events as terminal
from rankloop.events.extraction import extract_day
from rankloop.events.ingestion import Ingestion
from rankloop.events.tasks import clean_day, report_late_events
from tests.events.shop import DAY, NEXT_DAY, NIGHT, Shop, a_reaction, arriving, at

pytestmark = pytest.mark.stack
NEXT_NIGHT = NIGHT + timedelta(days=1)


@pytest.fixture
def ingestion(shop: Shop) -> Ingestion:
    """What the shop is ingested with. Its day is cleaned, and two events came late for it."""
    for source in COLLECTIONS:
        extract_day(shop.ingestion, DAY, source, NIGHT)
    clean_day(shop.ingestion, DAY, NIGHT)
    late = (a_reaction(f"late{i}", at(23), _id=arriving(NIGHT + timedelta(hours=2))) for i in range(2))
    shop.add(INTERACTIONS, *late)
    return shop.ingestion


def told(shop: Shop) -> str:
    console = Console(file=StringIO(), width=200)
    terminal.print_event_days(console, shop.ingestion.lake)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def alerts(shop: Shop) -> list[tuple[Any, ...]]:
    found = shop.client["rankloop"]["alerts"].find({"kind": "late_events"})
    return [(entry["subject"], entry["state"]) for entry in found]


def test_what_came_late_stands_with_the_day_and_is_told_to_on_call(ingestion: Ingestion, shop: Shop) -> None:
    assert "came late" not in told(shop)
    assert [late["events"][INTERACTIONS] for late in report_late_events(ingestion, NEXT_DAY, NEXT_NIGHT)] == [2]
    assert "came late: 2 interactions (50.0%)" in told(shop)
    assert alerts(shop) == [("2026-11-03", "open")]


def test_a_day_that_took_its_late_events_in_has_none_and_its_alert_is_closed(ingestion: Ingestion, shop: Shop) -> None:
    report_late_events(ingestion, NEXT_DAY, NEXT_NIGHT)
    later = NEXT_NIGHT + timedelta(hours=9)
    extract_day(ingestion, DAY, INTERACTIONS, later)
    clean_day(ingestion, DAY, later)
    assert "came late" not in told(shop)
    assert alerts(shop) == [("2026-11-03", "closed")]


def test_a_day_cleaned_again_without_extraction_still_lacks_what_came_late(ingestion: Ingestion, shop: Shop) -> None:
    clean_day(ingestion, DAY, NEXT_NIGHT)
    assert "came late: 2 interactions (50.0%)" in told(shop)
    assert alerts(shop) == [("2026-11-03", "open")]
