"""What the simulator's commands print."""

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rankloop_demo.simulator.calibration import Calibration
from rankloop_demo.simulator.history import DayReport, Diary, days_to_live, live_days
from rankloop_demo.simulator.living import Marketplace


def live_with_progress(console: Console, place: Marketplace, days: Sequence[date], diary: Diary) -> list[DayReport]:
    """Live the days that are missing, with a bar that moves by blocks; where nothing moves, a line a day."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    reports = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        missing = days_to_live(place, days, diary)
        task = bar.add_task("Living", total=len(missing))
        share = 1 / place.blocks
        for report in live_days(place, missing, diary, on_block=lambda: bar.advance(task, share)):
            reports.append(report)
            bar.update(task, description=f"{report.day}: {report.shown:,} products shown")
            if not console.is_terminal:
                console.print(_line(report), highlight=False, soft_wrap=True)
        bar.update(task, completed=len(missing))
    return reports


def _line(report: DayReport) -> str:
    documents = ", ".join(f"{count:,} {name}" for name, count in sorted(report.documents.items()))
    return f"{report.day}  {report.shown:,} products shown; {documents}; {report.dirty} dirty; {report.seconds:.1f} s"


def calibration_table(rows: Sequence[Calibration]) -> Table:
    """Return a table of the base ranking beside the reference's figures and the ceiling."""
    table = Table(title="Base ranking, lists with a click")
    table.add_column("metric")
    for name in ("reference", "simulated", "ceiling"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.metric, f"{row.reference:.3f}", f"{row.base:.3f}", f"{row.ceiling:.3f}")
    return table
