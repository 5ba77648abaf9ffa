"""A day of history in one go: what the tasks of a day do one after the other, without a process for each of them.

Starting a task takes about a second of a processor, and a day has eleven: nearly half of a backfill. Each step leaves
behind what it leaves as a task of its own, so a day that was cut short is done again like any other.
"""

import time
from collections.abc import Collection
from datetime import date, datetime

from rankloop.contracts.sources import SOURCES
from rankloop.events.tasks import clean_day, extract_source, first_day_of_events
from rankloop.features.build import DaysMissingError, aggregate_day, build_features, may_build
from rankloop.settings import Settings

EARLIER_WITHIN_S, LOOK_EVERY_S = 600.0, 1.0
"""How long it waits for the days that it looks back on: others of the backfill, side by side with it."""


def build_whole_day(
    settings: Settings,
    day: date,
    now: datetime,
    accept: Collection[str] = (),
    *,
    earlier_within_s: float = EARLIER_WITHIN_S,
) -> None:
    """Extract, clean and aggregate the day, and make its features once the days before it are aggregated too."""
    for source in SOURCES:
        extract_source(settings, day, source, now)
    clean_day(settings, day, now, accept)
    aggregate_day(settings, day)
    begun, deadline = first_day_of_events(settings, day), time.monotonic() + earlier_within_s
    while not may_build(settings, day, begun):
        if time.monotonic() > deadline:
            raise DaysMissingError(
                f"features of {day} waited {earlier_within_s:.0f} s for days before it that are not aggregated; the "
                "line above names them. Run or clear those, then clear this one."
            )
        time.sleep(LOOK_EVERY_S)
    build_features(settings, day)
