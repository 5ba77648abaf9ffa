"""The tasks of `lake_maintenance` that work on the lake; each is idempotent."""

from typing import Any

from rankloop.context import Context
from rankloop.lake import maintenance
from rankloop.lake.maintenance import RemovedFiles
from rankloop.maintenance.pinned_versions import pinned_versions


def compact_small_files(context: Context) -> dict[str, int]:
    """Rewrite days that consist of many small files as one file each; return the number of days by table."""
    return maintenance.compact_tables(context.lake)


def vacuum_unused_files(context: Context) -> dict[str, Any]:
    """Remove the lake's unused files; return how many, and their bytes, by table."""
    removed = remove_unused_files(context, dry_run=False)
    return {entry.table: {"files": entry.files, "bytes": entry.bytes} for entry in removed}


def remove_unused_files(context: Context, *, keep_days: int | None = None, dry_run: bool) -> list[RemovedFiles]:
    """Remove, or only list, files that neither a version of the last days nor a registered model's training set needs.

    Without `keep_days` the settings say how many days.
    """
    days = context.settings.maintenance.keep_days if keep_days is None else keep_days
    pinned = pinned_versions(context.state, context.registry)
    return maintenance.vacuum_lake(context.lake, pinned, days, dry_run=dry_run)


def remove_old_reports(context: Context, *, dry_run: bool = False) -> list[str]:
    """Remove drift reports that are past their retention; return their days."""
    return maintenance.remove_reports(context.lake, context.settings.maintenance.report_days, dry_run=dry_run)
