"""The steps of a day as Airflow's tasks call them: settings and a day go in, small facts come out."""

from bisect import bisect_left
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from rankloop.calendar import days_between, first_of, start_of
from rankloop.contracts.marketplace import IMPRESSIONS
from rankloop.contracts.sources import SOURCES
from rankloop.events.cleaning import clean
from rankloop.events.extraction import extract_day
from rankloop.events.late_events import refresh_late_counts
from rankloop.events.site import Site, open_site
from rankloop.events.summaries import MissingStepError, day_summaries
from rankloop.lake.tables import Lake
from rankloop.settings import Settings
from rankloop.sources.mongo.complete_days import is_complete
from rankloop.sources.mongo.extraction import had_begun

LOOK_BACK_DAYS = 3


def day_is_over(settings: Settings, day: date) -> bool:
    """Return whether the source has marked the day complete; where it marks none, every day that has ended is."""
    if not settings.complete_days_in:
        return True
    with _site(settings) as site:
        return is_complete(site.client, settings.complete_days_in, day)


def extract_source(settings: Settings, day: date, source: str, now: datetime) -> dict[str, Any]:
    """Read a day of one source into the lake; what that came to."""
    with _site(settings) as site:
        return asdict(extract_day(day, source, site, now))


def clean_day(settings: Settings, day: date, now: datetime, accept: Collection[str] = ()) -> dict[str, Any]:
    """Clean and check a day that was extracted; what became of each source's rows."""
    with _site(settings) as site:
        clean(day, site, now, accept=accept)
        # A day that was extracted anew has what it lacked, and nobody else would look at it again.
        refresh_late_counts(day, site, now)
    return published_events(settings, day)


def report_late_events(settings: Settings, day: date, now: datetime) -> list[dict[str, Any]]:
    """What arrived too late for the days just before this one; on-call is told of a day that is worth clearing."""
    before = [day - timedelta(days=number) for number in range(1, LOOK_BACK_DAYS + 1)]
    with _site(settings) as site:
        cleaned = [date.fromisoformat(facts.day) for facts in day_summaries(site.lake, before)]
        return [asdict(refresh_late_counts(earlier, site, now)) for earlier in cleaned]


def first_day_of_events(settings: Settings, day: date) -> date | None:
    """By whose end events had arrived, of the days that features as of this one look back on; else the day after it.

    None where no `_id` tells when anything arrived. Arrived later than this day may be all there is: what a nightly job
    writes, or history that was imported.
    """
    days = [*days_between(first_of(settings.features.window_days, day), day), later := day + timedelta(days=1)]
    with _site(settings) as site:

        def begun(by: date) -> bool:
            end = None if by == later else start_of(by + timedelta(days=1), settings.zone)
            return had_begun(site.reader, SOURCES[IMPRESSIONS], end)

        return next(iter(days[bisect_left(days, True, key=begun) :]), None)


def published_events(settings: Settings, day: date) -> dict[str, Any]:
    """A day's events, table by table, as the Assets page tells of them."""
    known = day_summaries(Lake(settings.lake_root), [day])
    if not known:
        raise MissingStepError(f"the events of {day} are not there. Clear the cleaning of that day.")
    return {
        facts.table: {
            "rows": facts.rows,
            "quarantined": facts.quarantined,
            "reasons": facts.reasons,
            "repairs": facts.repairs,
            "version": facts.version,
            "digest": facts.digest,
        }
        for facts in known[0].sources.values()
    }


@contextmanager
def _site(settings: Settings) -> Iterator[Site]:
    site = open_site(settings)
    try:
        yield site
    finally:
        site.client.close()
