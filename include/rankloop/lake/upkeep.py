"""Keeps the lake small and quick: days in few files, no file that nobody needs, no report that nobody reads.

Each function does what is left to do, so one that was cut short is finished by doing it again.
"""

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from rankloop.lake.tables import Lake, LakeError

log = logging.getLogger(__name__)

SCATTERED = 8
"""Files from which a day is worth reading together; an engine on many machines leaves hundreds."""
SMALL = 16 << 20
"""Bytes of a file, on average, from which a day's files are large enough to be left as they are."""
REPORTS = "reports/drift"

Pins = Mapping[str, Mapping[int, Collection[int]]]
"""By table, its versions that must stay readable, each with the versions of the model that it is for."""


@dataclass(frozen=True)
class Removed:
    """Files that went, or would go."""

    table: str
    files: int
    bytes: int


class PinnedVersionMissingError(LakeError):
    """A version that a model was trained on is not in this lake."""


def scattered_days(lake: Lake, table: str) -> list[date]:
    """The days of a table that lie in many small files."""
    sizes = lake.file_sizes(table).items()
    return [day for day, found in sizes if len(found) >= SCATTERED and sum(found) < SMALL * len(found)]


def compact(lake: Lake) -> dict[str, int]:
    """By table, how many scattered days were put into one file each; their rows and digests stay as they are.

    A day that somebody replaces meanwhile is left to them: what they wrote is looked at the next time.
    """
    done: dict[str, int] = {}
    for table in lake.tables():
        for day in scattered_days(lake, table):
            if lake.gather(table, day) is None:
                log.info("%s %s was replaced meanwhile, and is left as it is", table, day)
            else:
                done[table] = done.get(table, 0) + 1
    return done


def vacuum(lake: Lake, pins: Pins, keep_days: int, *, dry_run: bool = False) -> list[Removed]:
    """Remove files that no version of the last so many days needs, and none that is pinned; by table, what went.

    Refuses before anything is removed where a pinned version is not in the lake: then the pins may be another's.
    """
    tables = lake.tables()
    _refuse_unknown(lake, tables, pins)
    gone = []
    for table in tables:
        keep = sorted(pins.get(table, ()))
        if files := lake.tidy(table, keep_days=keep_days, keep_versions=keep, dry_run=dry_run):
            gone.append(Removed(table, len(files), sum(files.values())))
    return gone


def _refuse_unknown(lake: Lake, tables: Collection[str], pins: Pins) -> None:
    for table, pinned in pins.items():
        there = {entry.number for entry in lake.versions(table)} if table in tables else set()
        if missing := sorted(set(pinned) - there):
            models = ", ".join(map(str, sorted(pinned[missing[0]])))
            newest = f"its newest version is {max(there)}" if there else "there is no such table"
            raise PinnedVersionMissingError(
                f"version {models} of the ranker was trained on version {missing[0]} of {table}, which the lake "
                f"{lake.root} does not have ({newest}). Nothing was removed. If this is another lake, or another "
                "MLflow, than the ranker was trained with, set RANKLOOP_LAKE or RANKLOOP_MLFLOW_URI; if the lake was "
                f"begun anew, delete version {models} in MLflow: it cannot be trained again."
            )


def remove_reports(lake: Lake, keep_days: int, *, dry_run: bool = False) -> list[str]:
    """Remove the drift reports of more than so many days before the newest; the days whose report went.

    Counted from the newest report and not from today: a marketplace that stands still loses none.
    """
    days = {}
    for folder in lake.folders(REPORTS):
        if found := re.fullmatch(r"dt=(\d{4}-\d\d-\d\d)", folder.rpartition("/")[2]):
            days[date.fromisoformat(found[1])] = folder
    first = max(days, default=date.min + timedelta(days=keep_days)) - timedelta(days=keep_days)
    old = [day for day in sorted(days) if day < first]
    for day in old:
        if not dry_run:
            lake.remove_folder(days[day])
    return [day.isoformat() for day in old]
