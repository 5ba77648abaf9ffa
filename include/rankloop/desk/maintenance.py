"""What `rankloop lake tidy` prints."""

from collections.abc import Sequence

from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table

from rankloop.lake.maintenance import RemovedFiles
from rankloop.maintenance import chores
from rankloop.settings import Settings


def tidy(console: Console, settings: Settings, keep_days: int | None, *, dry_run: bool) -> None:
    """Free disk, or say what would go."""
    with console.status("Looking for what nobody needs"):
        gone = chores.unneeded(settings, keep_days=keep_days, dry_run=dry_run)
        reports = chores.remove_reports(settings, dry_run=dry_run)
    show_removed(console, gone, reports, dry_run=dry_run)


def show_removed(console: Console, gone: Sequence[RemovedFiles], reports: Sequence[str], *, dry_run: bool) -> None:
    """What went, or would go, by table, and which reports."""
    would = "would be removed" if dry_run else "removed"
    if not gone and not reports:
        console.print(f"Nothing {'would have' if dry_run else 'had'} to be removed.")
        return
    if gone:
        table = Table("table", *(Column(name, justify="right") for name in (f"files {would}", "of")), box=None)
        for entry in gone:
            table.add_row(entry.table, f"{entry.files:,}", decimal(entry.bytes))
        total = sum(entry.files for entry in gone), sum(entry.bytes for entry in gone)
        table.add_row("all", f"{total[0]:,}", decimal(total[1]), style="bold")
        console.print(table)
    if reports:
        named = f"{reports[0]} to {reports[-1]}"
        console.print(f"{len(reports)} drift reports {would}: {named}", highlight=False, soft_wrap=True)
