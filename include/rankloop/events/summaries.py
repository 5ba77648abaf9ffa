"""What is known of a day besides its rows. It is kept in the lake and replaced with the day."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any

from rankloop.contracts.lake import CLEANED
from rankloop.errors import RankloopError
from rankloop.lake.facts import read_facts, write_facts
from rankloop.lake.tables import Lake


class MissingStepError(RankloopError):
    """A step was asked for before the one that it builds on."""


@dataclass(frozen=True)
class ExtractionSummary:
    """What an extraction came to. All of it can be written as JSON, and so can every facts here."""

    day: str
    source: str
    rows: int
    """Documents that belong to the day and wait in the lake."""
    faulty: int
    """Those among them whose shape is wrong."""
    elsewhere: int
    """Documents found on the way that belong to another day."""
    timed: int
    """Of events, how many claimed a time within the day just before it was read; what comes on top is late."""
    extracted_at: str
    days_after: int
    """Market days from the end of the day to the extraction; what a catalogue was in between is not known."""
    version: int
    digest: str
    kept: bool = False
    """Whether this is an earlier snapshot, kept because MongoDB knows a catalogue only as it is now."""


@dataclass(frozen=True)
class SourceSummary:
    """What became of one source's rows, counted as rows of the clean table."""

    table: str
    rows_in: int
    rows: int
    """Kept."""
    quarantined: int
    left_out: int
    """Of a catalogue, what was created only after the day."""
    reasons: dict[str, int] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    """By kind and field, as in `white_space name`; rows that were kept."""
    profile: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By column, the share of nulls and what values there are."""
    empty_columns: list[str] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    """The extraction's facts."""
    version: int = -1
    digest: str = ""


@dataclass(frozen=True)
class DaySummary:
    """What a day's cleaning came to."""

    day: str
    cleaned_at: str
    sources: dict[str, SourceSummary]
    accepted: list[str] = field(default_factory=list)
    """Checks that the day failed and was let through on purpose."""


def save_extraction_summary(lake: Lake, facts: ExtractionSummary) -> None:
    """Keep what an extraction came to."""
    write_facts(lake, _raw_table(facts.source), date.fromisoformat(facts.day), asdict(facts))


def extraction_summary(lake: Lake, day: date, source: str) -> ExtractionSummary | None:
    """What the last extraction of the day came to, if there was one."""
    known = read_facts(lake, _raw_table(source), [day])
    return ExtractionSummary(**known[0]) if known else None


def save_day_summary(lake: Lake, facts: DaySummary) -> None:
    """Keep what a day's cleaning came to."""
    write_facts(lake, CLEANED, date.fromisoformat(facts.day), asdict(facts))


def day_summaries(lake: Lake, days: list[date] | None = None) -> list[DaySummary]:
    """What is known of these days, or of all that are cleaned, oldest first."""
    known = read_facts(lake, CLEANED, lake.days(CLEANED) if days is None else days)
    facts = [DaySummary(**{**entry, "sources": _sources(entry["sources"])}) for entry in known]
    return sorted(facts, key=lambda entry: entry.day)


def _sources(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, SourceSummary]:
    """Facts that an older release wrote may lack a name, and a newer one's have more."""
    names = {entry.name for entry in fields(SourceSummary)}
    return {
        source: SourceSummary(**{name: value for name, value in entry.items() if name in names})
        for source, entry in entries.items()
    }


def _raw_table(source: str) -> str:
    """A table for each source, since they are extracted side by side."""
    return f"facts/raw_{source}"
