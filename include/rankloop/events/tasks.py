"""The steps of a day's events, as Airflow's tasks and a backfill call them."""

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from rankloop.calendar import start_of
from rankloop.events.cleaning import clean_events
from rankloop.events.ingestion import Ingestion
from rankloop.events.late_events import refresh_late_counts
from rankloop.events.summaries import MissingStepError, day_summaries
from rankloop.lake.tables import Lake

LATE_CHECK_DAYS = 3
"""Earlier days whose late events are counted every day."""


def clean_day(ingestion: Ingestion, day: date, now: datetime, accept: Collection[str] = ()) -> dict[str, Any]:
    """Clean and check a day that was extracted, and return what became of each source's rows."""
    clean_events(ingestion, day, now, accept=accept)
    # A day that was extracted again has the events it lacked, and no later run would count them again.
    refresh_late_counts(ingestion, day, now)
    return published_events(ingestion.lake, day)


def report_late_events(ingestion: Ingestion, day: date, now: datetime) -> list[dict[str, Any]]:
    """Count the late events of the days just before this one; an alert is raised for a day that is worth clearing."""
    earlier = [day - timedelta(days=number) for number in range(1, LATE_CHECK_DAYS + 1)]
    cleaned = [date.fromisoformat(summary.day) for summary in day_summaries(ingestion.lake, earlier)]
    return [asdict(refresh_late_counts(ingestion, other, now)) for other in cleaned]


def first_day_of_events(ingestion: Ingestion, day: date) -> date | None:
    """Return the first day of the feature window by whose end events had arrived, else the day after the window.

    None where no row tells when it arrived. All events may have arrived later than the window: a nightly job writes
    them, or history was imported.
    """
    days = [*ingestion.window(day), later := day + timedelta(days=1)]

    def begun(by: date) -> bool:
        end = None if by == later else start_of(by + timedelta(days=1), ingestion.zone)
        return ingestion.source.has_lists_before(end)

    return next(iter(days[bisect_left(days, True, key=begun) :]), None)


def published_events(lake: Lake, day: date) -> dict[str, Any]:
    """Return what the Assets page says of a day's events, by table."""
    summaries = day_summaries(lake, [day])
    if not summaries:
        raise MissingStepError(f"there are no events of {day}. Clear the cleaning of that day.")
    return {
        source.table: {
            "rows": source.rows,
            "quarantined": source.quarantined,
            "reasons": source.reasons,
            "repairs": source.repairs,
            "version": source.version,
            "digest": source.digest,
        }
        for source in summaries[0].sources.values()
    }
