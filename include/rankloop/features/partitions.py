"""Which definition each partition was written by: what must not be mixed, and what has to be rebuilt."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from rankloop.contracts.lake import AGGREGATED
from rankloop.errors import RankloopError
from rankloop.features.catalogue import load_catalogue
from rankloop.features.declarations import TableBuilder
from rankloop.features.definitions import feature_definitions, table_definitions
from rankloop.lake.commits import Definitions, TableCommit
from rankloop.lake.tables import Lake
from rankloop.settings import variable
from rankloop.settings.features import FeatureSettings

log = logging.getLogger(__name__)

NAMED = 4
"""Columns that a message names."""


class MixedDefinitionsError(RankloopError):
    """Partitions that were computed by different definitions and would be used side by side."""


@dataclass(frozen=True)
class StalePartition:
    """A day of a table that this code and these settings would compute differently."""

    table: str
    day: date
    changed: tuple[str, ...]
    """Columns that were computed by another definition."""
    lacking: tuple[str, ...]
    """Columns that the day does not have; all of the table's where the day is not in it."""


@dataclass(frozen=True)
class StaleReport:
    """What has to be rebuilt, and how many partitions do not say how they were computed."""

    stale: tuple[StalePartition, ...]
    unknown: int

    @property
    def aggregates(self) -> list[date]:
        """The days whose `daily/*` have to be computed again."""
        return sorted({partition.day for partition in self.stale if partition.table.startswith("daily/")})

    @property
    def features(self) -> list[date]:
        """The days whose `features/*` have to be computed again."""
        return sorted({partition.day for partition in self.stale if partition.table.startswith("features/")})


def table_columns(builders: Iterable[TableBuilder]) -> dict[str, list[str]]:
    """Return, by table, the columns beside its key."""
    return {builder.spec.name: [column.name for column in builder.spec.columns] for builder in builders}


def require_one_definition(
    lake: Lake, settings: FeatureSettings, columns: Mapping[str, Sequence[str]], days: Iterable[date], purpose: str
) -> None:
    """Refuse days of which a table's columns were computed by different definitions.

    A day that does not say is taken to fit; a column that a day lacks is empty there, and the log says so.
    """
    for table, names in columns.items():
        commits = lake.last_commits(table)
        known = {day: commits[day].definitions for day in days if day in commits}
        _note_lacking(table, names, known)
        for name in names:
            by_digest: dict[str, list[date]] = {}
            for day, definitions in known.items():
                if definitions and name in definitions:
                    by_digest.setdefault(definitions[name], []).append(day)
            if len(by_digest) > 1:
                _refuse_or_warn(settings, f"{purpose}: {_mixed(table, name, by_digest)}")


def require_same_definition(
    settings: FeatureSettings, columns: Iterable[str], one: tuple[str, Definitions], other: tuple[str, Definitions]
) -> None:
    """Refuse two sets of rows, each with its name, of which one of these columns was computed differently."""
    (first, mine), (second, theirs) = one, other
    changed = [name for name in columns if name in mine and name in theirs and mine[name] != theirs[name]]
    if changed:
        examples = ", ".join(f"{name} ({mine[name]} and {theirs[name]})" for name in changed[:NAMED])
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        _refuse_or_warn(settings, f"{first} and {second} hold features of two definitions: {examples}{more}")


def _refuse_or_warn(settings: FeatureSettings, message: str) -> None:
    if settings.allow_mixed:
        log.warning("%s. They are used side by side.", message)
        return
    raise MixedDefinitionsError(
        f"{message}. Rebuild the days that `rankloop features stale` names, and train again where a model learned from "
        f"them; or set {variable('features.allow_mixed')}=true to use them side by side."
    )


def _mixed(table: str, name: str, by_digest: Mapping[str, Sequence[date]]) -> str:
    spans = [f"{_span(days)} by {digest}" for digest, days in by_digest.items()]
    return f"{table} has {name} of {len(spans)} definitions, {' and '.join(spans)}"


def _span(days: Sequence[date]) -> str:
    first, last = min(days), max(days)
    return f"{first}" if first == last else f"{first} to {last}"


def _note_lacking(table: str, names: Sequence[str], known: Mapping[date, Definitions | None]) -> None:
    for name in names:
        lacking = [day for day, definitions in known.items() if definitions and name not in definitions]
        if lacking:
            log.warning("%s of %s has no column %s, which counts as unknown there.", table, _span(lacking), name)


def day_definitions(lake: Lake, settings: FeatureSettings, zone: ZoneInfo, day: date) -> Definitions:
    """Return, by feature, by which definition rows of lists get it as of a day; without those that no day says."""
    partitions = {}
    for builder in load_catalogue(settings).as_of:
        commit = lake.last_commits(builder.spec.name).get(day)
        if commit and commit.definitions:
            partitions[builder.spec.name] = commit.definitions
    return feature_definitions(settings, zone, partitions) if partitions else {}


def find_stale_partitions(lake: Lake, settings: FeatureSettings, zone: ZoneInfo) -> StaleReport:
    """Return the days whose tables this code and these settings would compute differently, or do not have."""
    catalogue, current = load_catalogue(settings), table_definitions(settings, zone)
    stale, unknown = [], 0
    for builders, days in (
        (catalogue.daily, lake.days(AGGREGATED)),
        (catalogue.as_of, _built_days(lake, catalogue.as_of)),
    ):
        for table, columns in table_columns(builders).items():
            commits, existing = lake.last_commits(table), set(lake.days(table))
            for day in days:
                partition, says = _compared(lake, table, day, columns, current[table], commits.get(day), existing)
                unknown += not says
                stale += [partition] if partition else []
    return StaleReport(tuple(stale), unknown)


def _built_days(lake: Lake, builders: Iterable[TableBuilder]) -> list[date]:
    """Return the days of which any of these tables was written; a day on which nobody was there has no rows."""
    return sorted({day for builder in builders for day in lake.last_commits(builder.spec.name)})


def _compared(  # noqa: PLR0913, PLR0917  (what the log knows of a table, and one day of it)
    lake: Lake,
    table: str,
    day: date,
    columns: Sequence[str],
    current: Definitions,
    commit: TableCommit | None,
    existing: set[date],
) -> tuple[StalePartition | None, bool]:
    """Return what is stale of a table's day, if anything, and whether the day says how it was computed."""
    if commit is None:
        return StalePartition(table, day, (), tuple(columns)), True
    if commit.definitions is None:
        has = lake.columns(table, day) if day in existing else set(columns)
        lacking = tuple(name for name in columns if name not in has)
        return (StalePartition(table, day, (), lacking) if lacking else None), False
    changed = tuple(name for name in columns if commit.definitions.get(name, current[name]) != current[name])
    lacking = tuple(name for name in columns if name not in commit.definitions)
    return (StalePartition(table, day, changed, lacking) if changed or lacking else None), True
