"""Builds days of history in one process: what the tasks of a day do one after the other, without a process for each.

Starting a task takes about a second of a processor, and a day has eleven: nearly half of a backfill. Each step leaves
behind what it leaves as a task of its own, so a day that was cut short is done again like any other.
"""

import time
from collections.abc import Collection, Sequence
from datetime import date, datetime

from rankloop.contracts.sources import SOURCES
from rankloop.engine.protocol import Engine
from rankloop.events.extraction import extract_day
from rankloop.events.ingestion import Ingestion
from rankloop.events.tasks import clean_day, first_day_of_events
from rankloop.features.build import MissingAggregatesError, aggregate_day, build_features, window_is_complete
from rankloop.lake.tables import Lake
from rankloop.settings.features import FeatureSettings

EARLIER_WITHIN_S, RETRY_EVERY_S = 600.0, 1.0
"""How long it waits for the days that it looks back on: others of the backfill, side by side with it."""


def build_days(  # noqa: PLR0913  (what a task has open, and its days)
    ingestion: Ingestion,
    engine: Engine,
    features: FeatureSettings,
    days: Sequence[date],
    now: datetime,
    *,
    accept: Collection[str] = (),
    earlier_within_s: float = EARLIER_WITHIN_S,
) -> None:
    """Extract, clean and aggregate these days, then build the features of each once the days before are aggregated."""
    for day in days:
        for source in SOURCES:
            extract_day(ingestion, day, source, now)
        clean_day(ingestion, day, now, accept)
        aggregate_day(ingestion.lake, engine, features, ingestion.zone, day)
        engine.release()
    begun = None
    for day in days:
        # Once events have begun, they have begun by every later day too.
        begun = begun or first_day_of_events(ingestion, day)
        _wait_for_earlier_days(ingestion.lake, features, day, begun, earlier_within_s)
        build_features(ingestion.lake, engine, features, ingestion.zone, day)
        engine.release()


def _wait_for_earlier_days(
    lake: Lake, features: FeatureSettings, day: date, begun: date | None, within_s: float
) -> None:
    deadline = time.monotonic() + within_s
    while not window_is_complete(lake, features, day, begun):
        if time.monotonic() > deadline:
            raise MissingAggregatesError(
                f"features of {day} waited {within_s:.0f} s for days before it that are not aggregated; the "
                "line above names them. Run or clear those, then clear this one."
            )
        time.sleep(RETRY_EVERY_S)
