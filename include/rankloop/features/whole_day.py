"""Builds days of history in one process: what the tasks of a day do one after the other, without a process for each.

Starting a task takes about a second of a processor, and a day has eleven: nearly half of a backfill. Each step leaves
behind what it leaves as a task of its own, so a day that was cut short is done again like any other.
"""

import time
from collections.abc import Collection, Sequence
from datetime import date, datetime

from rankloop.contracts.sources import SOURCES
from rankloop.engine.opening import open_engine
from rankloop.events.tasks import clean_day, extract_source, first_day_of_events
from rankloop.features.build import MissingAggregatesError, aggregate_day, build_features, window_is_complete
from rankloop.lake.tables import Lake
from rankloop.settings import Settings

EARLIER_WITHIN_S, LOOK_EVERY_S = 600.0, 1.0
"""How long it waits for the days that it looks back on: others of the backfill, side by side with it."""


def build_days(
    settings: Settings,
    days: Sequence[date],
    now: datetime,
    accept: Collection[str] = (),
    *,
    earlier_within_s: float = EARLIER_WITHIN_S,
) -> None:
    """Extract, clean and aggregate these days, then build the features of each once the days before are aggregated."""
    lake = Lake(settings.lake_root)
    for day in days:
        for source in SOURCES:
            extract_source(settings, day, source, now)
        clean_day(settings, day, now, accept)
        with open_engine(settings.features) as engine:
            aggregate_day(lake, engine, settings.features, settings.zone, day)
    begun = None
    for day in days:
        # Once events have begun, they have begun by every later day too.
        begun = begun or first_day_of_events(settings, day)
        _wait_for_earlier_days(lake, settings, day, begun, earlier_within_s)
        with open_engine(settings.features) as engine:
            build_features(lake, engine, settings.features, settings.zone, day)


def _wait_for_earlier_days(lake: Lake, settings: Settings, day: date, begun: date | None, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not window_is_complete(lake, settings.features, day, begun):
        if time.monotonic() > deadline:
            raise MissingAggregatesError(
                f"features of {day} waited {within_s:.0f} s for days before it that are not aggregated; the "
                "line above names them. Run or clear those, then clear this one."
            )
        time.sleep(LOOK_EVERY_S)
