"""Late events: those of a day that arrived after it was read, and so are missing from it."""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.sources import ARRIVED, ID, SOURCES
from rankloop.events.facts import DayFacts, NotThereError, day_facts
from rankloop.events.site import Site
from rankloop.marketplace.extraction import arrivals_since
from rankloop.settings import variable


@dataclass(frozen=True)
class Late:
    """How much of a day came too late for it."""

    day: str
    events: dict[str, int]
    """By source."""
    share: float
    """Of all events that the day would now have, in the source that misses most."""
    advice: str
    """What to do about it, or nothing if it is not worth it."""


def late_events(day: date, site: Site) -> Late:
    """The events of a day that are in MongoDB by now and were not when the day was read."""
    known = day_facts(site.lake, [day])
    if not known:
        raise NotThereError(f"{day} was not cleaned yet, so nothing can be late for it. Clean it first.")
    found = {source: _late(day, source, known[0], site) for source, entry in SOURCES.items() if entry.event}
    share = max(count / (count + int(known[0].sources[source].raw["rows"]) or 1) for source, count in found.items())
    return Late(day.isoformat(), found, share, _advice(day, found, share, site))


def _late(day: date, source: str, facts: DayFacts, site: Site) -> int:
    # Clocks may differ, so what had just arrived is looked at too; what the day has already is not late.
    since = facts.read_at(source) - site.reader.skew
    table = SOURCES[source].raw
    version = facts.sources[source].raw["version"]
    columns = [ID, ARRIVED]
    there = site.lake.read(table, [day], columns, version) if site.lake.files(table, [day], version) else None
    ids = there.filter(pc.greater_equal(there[ARRIVED], since))[ID] if there else pa.chunked_array([], pa.string())
    arrivals = arrivals_since(site.reader, SOURCES[source], day, since)
    return sum(len(found) - (pc.sum(pc.is_in(found[ID], value_set=ids)).as_py() or 0) for found in arrivals)


def _advice(day: date, found: dict[str, int], share: float, site: Site) -> str:
    if share < site.rules.late_share:
        return ""
    missed = " and ".join(f"{count} {source}" for source, count in found.items() if count)
    return (
        f"{day}: {missed} arrived after the day was read, up to {share:.1%} of a source "
        f"(limit {site.rules.late_share:.1%}, {variable('cleaning.late_share')}). Clear the extraction of "
        f"partition {day} with all that follows, and they are taken in."
    )
