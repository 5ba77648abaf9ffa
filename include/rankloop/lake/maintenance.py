"""Keeps the lake small and quick: days in few files, no unneeded file, no old report.

Each function is idempotent: one that was cut short is finished by running it again.
"""

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from rankloop.lake.tables import Lake, LakeError

log = logging.getLogger(__name__)

FRAGMENTED = 8
"""From so many files on, a day is worth merging; an engine on many machines leaves hundreds."""
SMALL = 16 << 20
"""From so many bytes a file on average, a day's files are large enough."""
REPORTS = "reports/drift"

PinnedVersions = Mapping[str, Mapping[int, Collection[int]]]
"""By table, its versions that must stay readable, each with the versions of the model that it is for."""


@dataclass(frozen=True)
class RemovedFiles:
    """The files of a table that were removed, or would be in a dry run."""

    table: str
    files: int
    bytes: int


class PinnedVersionMissingError(LakeError):
    """A version that a model was trained on is not in this lake."""


def fragmented_days(lake: Lake, table: str) -> list[date]:
    """Return the days of a table that lie in many small files."""
    by_day = lake.file_sizes(table).items()
    return [day for day, sizes in by_day if len(sizes) >= FRAGMENTED and sum(sizes) < SMALL * len(sizes)]


def compact_tables(lake: Lake) -> dict[str, int]:
    """Merge the files of each fragmented day into one, with the same rows and digest; return how many days by table.

    A day that is replaced meanwhile is skipped until the next time.
    """
    merged: dict[str, int] = {}
    for table in lake.tables():
        for day in fragmented_days(lake, table):
            if lake.merge_files(table, day) is None:
                log.info("%s %s was replaced meanwhile, and is skipped", table, day)
            else:
                merged[table] = merged.get(table, 0) + 1
    return merged


def vacuum_lake(lake: Lake, pins: PinnedVersions, keep_days: int, *, dry_run: bool = False) -> list[RemovedFiles]:
    """Remove the files that neither a version of the last `keep_days` days nor a pinned version needs.

    Where a pinned version is not in the lake, nothing is removed: the pins may be those of another lake.
    """
    tables = lake.tables()
    _refuse_unknown(lake, tables, pins)
    removed = []
    for table in tables:
        keep = sorted(pins.get(table, ()))
        if files := lake.remove_old_files(table, keep_days=keep_days, keep_versions=keep, dry_run=dry_run):
            removed.append(RemovedFiles(table, len(files), sum(files.values())))
    return removed


def _refuse_unknown(lake: Lake, tables: Collection[str], pins: PinnedVersions) -> None:
    for table, pinned in pins.items():
        existing = {commit.number for commit in lake.versions(table)} if table in tables else set()
        if missing := sorted(set(pinned) - existing):
            models = ", ".join(map(str, sorted(pinned[missing[0]])))
            newest = f"its newest version is {max(existing)}" if existing else "there is no such table"
            raise PinnedVersionMissingError(
                f"version {models} of the ranker was trained on version {missing[0]} of {table}, which the lake "
                f"{lake.root} does not have ({newest}). Nothing was removed. If this is another lake, or another "
                "MLflow, than the ranker was trained with, set RANKLOOP_LAKE or RANKLOOP_MLFLOW_URI; if the lake was "
                f"started from scratch, delete version {models} in MLflow: it cannot be trained again."
            )


def remove_reports(lake: Lake, keep_days: int, *, dry_run: bool = False) -> list[str]:
    """Remove the drift reports that are `keep_days` older than the newest, and return their days.

    Counted from the newest report and not from today: a marketplace without new days keeps its reports.
    """
    days = {}
    for folder in lake.folders(REPORTS):
        if match := re.fullmatch(r"dt=(\d{4}-\d\d-\d\d)", folder.rpartition("/")[2]):
            days[date.fromisoformat(match[1])] = folder
    first = max(days, default=date.min + timedelta(days=keep_days)) - timedelta(days=keep_days)
    old = [day for day in sorted(days) if day < first]
    for day in old:
        if not dry_run:
            lake.remove_folder(days[day])
    return [day.isoformat() for day in old]
