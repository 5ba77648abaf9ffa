"""What `rankloop lake cleanup` prints."""

from collections.abc import Sequence

from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table

from rankloop.context import Context
from rankloop.lake.maintenance import RemovedFiles
from rankloop.maintenance import tasks


def clean_up_lake(console: Console, context: Context, keep_days: int | None, *, dry_run: bool) -> None:
    """Remove unused files and old reports, or only list them."""
    with console.status("Looking for unused files"):
        files = tasks.remove_unused_files(context, keep_days=keep_days, dry_run=dry_run)
        reports = tasks.remove_old_reports(context, dry_run=dry_run)
    print_removed(console, files, reports, dry_run=dry_run)


def print_removed(console: Console, files: Sequence[RemovedFiles], reports: Sequence[str], *, dry_run: bool) -> None:
    """Print what was removed, or would be: files by table, and reports."""
    removed = "would be removed" if dry_run else "removed"
    if not files and not reports:
        console.print("Nothing would be removed." if dry_run else "Nothing was removed: everything is still needed.")
        return
    if files:
        table = Table("table", *(Column(name, justify="right") for name in (f"files {removed}", "size")), box=None)
        for entry in files:
            table.add_row(entry.table, f"{entry.files:,}", decimal(entry.bytes))
        total = sum(entry.files for entry in files), sum(entry.bytes for entry in files)
        table.add_row("all", f"{total[0]:,}", decimal(total[1]), style="bold")
        console.print(table)
    if reports:
        days = f"{reports[0]} to {reports[-1]}"
        console.print(f"{len(reports)} drift reports {removed}: {days}", highlight=False, soft_wrap=True)
