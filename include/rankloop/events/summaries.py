"""Summaries of a day's extraction and cleaning, stored in the lake beside its rows and replaced with them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any

from rankloop.contracts.lake import CLEANED
from rankloop.errors import RankloopError
from rankloop.lake.day_facts import read_facts, write_facts
from rankloop.lake.tables import Lake


class MissingStepError(RankloopError):
    """A step that was started before the one that it builds on."""


@dataclass(frozen=True)
class ExtractionSummary:
    """What was extracted of a day of a source. It can be written as JSON, like every summary here."""

    day: str
    source: str
    rows: int
    """Documents that belong to the day, in the staging table."""
    faulty: int
    """Those among them whose shape is wrong."""
    elsewhere: int
    """Documents that were read but belong to another day."""
    timed: int
    """Of events, how many claimed a time within the day just before it was read; more than that are late."""
    extracted_at: str
    days_after: int
    """Market days from the end of the day to the extraction; a catalogue is as of the extraction."""
    version: int
    digest: str
    kept: bool = False
    """Whether this is an earlier snapshot, kept because a shop knows its catalogue only as it is now."""


@dataclass(frozen=True)
class SourceSummary:
    """How many of a source's rows were kept, quarantined and left out, counted as rows of the clean table."""

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
    """The extraction's summary."""
    version: int = -1
    digest: str = ""


@dataclass(frozen=True)
class DaySummary:
    """A day's cleaning, source by source."""

    day: str
    cleaned_at: str
    sources: dict[str, SourceSummary]
    accepted: list[str] = field(default_factory=list)
    """Checks that the day failed and that were accepted for it."""


def save_extraction_summary(lake: Lake, summary: ExtractionSummary) -> None:
    """Store the summary of an extraction."""
    write_facts(lake, _raw_table(summary.source), date.fromisoformat(summary.day), asdict(summary))


def extraction_summary(lake: Lake, day: date, source: str) -> ExtractionSummary | None:
    """Return the summary of the day's last extraction, if there was one."""
    stored = read_facts(lake, _raw_table(source), [day])
    return ExtractionSummary(**stored[0]) if stored else None


def save_day_summary(lake: Lake, summary: DaySummary) -> None:
    """Store the summary of a day's cleaning."""
    write_facts(lake, CLEANED, date.fromisoformat(summary.day), asdict(summary))


def day_summaries(lake: Lake, days: list[date] | None = None) -> list[DaySummary]:
    """Return the summaries of these days, or of all that are cleaned, oldest first."""
    stored = read_facts(lake, CLEANED, lake.days(CLEANED) if days is None else days)
    summaries = [DaySummary(**{**entry, "sources": _sources(entry["sources"])}) for entry in stored]
    return sorted(summaries, key=lambda entry: entry.day)


def _sources(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, SourceSummary]:
    """Read summaries that another release wrote: an older one's lack a name, a newer one's have more."""
    names = {entry.name for entry in fields(SourceSummary)}
    return {
        source: SourceSummary(**{name: value for name, value in entry.items() if name in names})
        for source, entry in entries.items()
    }


def _raw_table(source: str) -> str:
    """Return the table of a source's summaries: one each, since sources are extracted side by side."""
    return f"facts/raw_{source}"
