"""Late events: those of a day that arrived after it was read, and so are missing from it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from rankloop.contracts.sources import SOURCES
from rankloop.events.site import Site
from rankloop.events.summaries import MissingStepError, day_summaries
from rankloop.lake.facts import read_facts, write_facts
from rankloop.lake.tables import Lake
from rankloop.settings import variable
from rankloop.sources.mongo.extraction import count_by_time
from rankloop.state.alerts import close_alert, raise_alert

LATE = "facts/late"
ALERT = "late_events"


@dataclass(frozen=True)
class LateEvents:
    """How much of a day came too late for it."""

    day: str
    events: dict[str, int]
    """By source."""
    share: float
    """Of all events that the day would now have, in the source that misses most."""
    advice: str
    """What to do about it, or nothing if it is not worth it."""


def count_late_events(day: date, site: Site) -> LateEvents:
    """The events of a day that are in MongoDB by now and were not when the day was read."""
    known = day_summaries(site.lake, [day])
    if not known:
        raise MissingStepError(f"{day} was not cleaned yet, so nothing can be late for it. Clean it first.")
    raw = {source: known[0].sources[source].raw for source, entry in SOURCES.items() if entry.event}
    found = {
        source: max(count_by_time(site.reader, SOURCES[source], day) - facts["timed"], 0)
        for source, facts in raw.items()
    }
    share = max(count / (count + raw[source]["rows"] or 1) for source, count in found.items())
    return LateEvents(day.isoformat(), found, share, _advice(day, found, share, site))


def refresh_late_counts(day: date, site: Site, now: datetime) -> LateEvents:
    """Count what came too late for a day and keep the count; on-call is told while it is worth clearing the day."""
    late = count_late_events(day, site)
    write_facts(site.lake, LATE, day, {**asdict(late), "counted_at": now.isoformat()})
    if late.advice:
        raise_alert(site.client, ALERT, late.day, late.advice, now)
    else:
        close_alert(site.client, ALERT, late.day, now)
    return late


def late_counts(lake: Lake, days: Iterable[date]) -> dict[str, dict[str, Any]]:
    """By day, what was last counted."""
    return {facts["day"]: facts for facts in read_facts(lake, LATE, days)}


def _advice(day: date, found: dict[str, int], share: float, site: Site) -> str:
    if share < site.rules.late_share:
        return ""
    missed = " and ".join(f"{count} {source}" for source, count in found.items() if count)
    return (
        f"{day}: {missed} arrived after the day was read, up to {share:.1%} of a source "
        f"(limit {site.rules.late_share:.1%}, {variable('cleaning.late_share')}). Clear the extraction of "
        f"partition {day} with all that follows, and they are taken in. Then run daily_features again for the days "
        f"after it, up to {day + timedelta(days=site.window_days - 1)}: their features look back on it. "
        "See docs/runbook.md#late-events."
    )
