"""Late events: those of a day that arrived after it was extracted, and so are missing from it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from rankloop.contracts.sources import SOURCES
from rankloop.events.ingestion import Ingestion
from rankloop.events.summaries import MissingStepError, day_summaries
from rankloop.lake.day_facts import read_facts, write_facts
from rankloop.lake.tables import Lake
from rankloop.settings import variable
from rankloop.state.alerts import close_alert, raise_alert

LATE = "facts/late"
ALERT = "late_events"


@dataclass(frozen=True)
class LateEvents:
    """How many events of a day came too late for it."""

    day: str
    events: dict[str, int]
    """By source."""
    share: float
    """Of all events that the day would now have, in the source that misses most."""
    advice: str
    """What to do about it, or nothing if it is not worth it."""


def count_late_events(ingestion: Ingestion, day: date) -> LateEvents:
    """Count the events of a day that the source has by now and had not when the day was extracted."""
    summaries = day_summaries(ingestion.lake, [day])
    if not summaries:
        raise MissingStepError(f"{day} was not cleaned yet, so nothing can be late for it. Clean it first.")
    raw = {name: summaries[0].sources[name].raw for name, contract in SOURCES.items() if contract.event}
    late = {
        name: max(ingestion.source.count_in_day(SOURCES[name], day) - extracted["timed"], 0)
        for name, extracted in raw.items()
    }
    share = max(count / (count + raw[name]["rows"] or 1) for name, count in late.items())
    return LateEvents(day.isoformat(), late, share, _advice(ingestion, day, late, share))


def refresh_late_counts(ingestion: Ingestion, day: date, now: datetime) -> LateEvents:
    """Count the late events of a day and store the count; an alert is open while it is worth clearing the day."""
    late = count_late_events(ingestion, day)
    write_facts(ingestion.lake, LATE, day, {**asdict(late), "counted_at": now.isoformat()})
    if late.advice:
        raise_alert(ingestion.state, ALERT, late.day, late.advice, now)
    else:
        close_alert(ingestion.state, ALERT, late.day, now)
    return late


def late_counts(lake: Lake, days: Iterable[date]) -> dict[str, dict[str, Any]]:
    """Return by day what was last counted."""
    return {counted["day"]: counted for counted in read_facts(lake, LATE, days)}


def _advice(ingestion: Ingestion, day: date, late: Mapping[str, int], share: float) -> str:
    if share < ingestion.rules.late_share:
        return ""
    counts = " and ".join(f"{count} {source}" for source, count in late.items() if count)
    return (
        f"{day}: {counts} arrived after the day was extracted, up to {share:.1%} of a source "
        f"(limit {ingestion.rules.late_share:.1%}, {variable('cleaning.late_share')}). Clear the extraction of "
        f"partition {day} with all that follows, and they are taken in. Then run daily_features again for the days "
        f"after it, up to {day + timedelta(days=ingestion.window_days - 1)}: their features look back on it. "
        "See docs/runbook.md#late-events."
    )
