"""What `lake_maintenance` does, a function a task; each may be done again at any time."""

from typing import Any

from rankloop.lake import maintenance
from rankloop.lake.maintenance import RemovedFiles
from rankloop.lake.tables import Lake
from rankloop.maintenance.pins import pins
from rankloop.settings import Settings


def compact(settings: Settings) -> dict[str, int]:
    """Put days that lie in many small files into one each; by table, how many."""
    return maintenance.compact_tables(Lake(settings.lake_root))


def vacuum(settings: Settings) -> dict[str, Any]:
    """Remove files of the lake that nobody reads any more; by table, how many and their bytes."""
    return {gone.table: {"files": gone.files, "bytes": gone.bytes} for gone in unneeded(settings, dry_run=False)}


def unneeded(settings: Settings, *, keep_days: int | None = None, dry_run: bool) -> list[RemovedFiles]:
    """Remove, or only name, files that neither a version of the last days needs nor one that a model was trained on."""
    days = settings.maintenance.keep_days if keep_days is None else keep_days
    return maintenance.vacuum_lake(Lake(settings.lake_root), pins(settings), days, dry_run=dry_run)


def remove_reports(settings: Settings, *, dry_run: bool = False) -> list[str]:
    """Remove drift reports that are older than they are kept; the days whose report went."""
    return maintenance.remove_reports(Lake(settings.lake_root), settings.maintenance.report_days, dry_run=dry_run)
