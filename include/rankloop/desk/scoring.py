"""What `rankloop score` prints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rankloop.scoring.files import FileScoringResult


@contextmanager
def row_progress(console: Console) -> Iterator[Callable[[int], None]]:
    """Show how many rows are scored, while the context lasts."""
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} rows scored"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda rows: bar.advance(task, rows)


def print_file_result(console: Console, result: FileScoringResult, target: Path) -> None:
    """Print how a file was scored, and why rows were not."""
    for note in result.notes:
        console.print(note, style="yellow", highlight=False, soft_wrap=True)
    scored = result.rows - sum(result.faults.values())
    line = f"{target}: {scored:,} of {result.rows:,} rows scored by {result.policy}, features as of {result.day}"
    console.print(line, highlight=False, soft_wrap=True)
    for fault, rows in sorted(result.faults.items()):
        console.print(f"  {rows:,} rows not scored: {fault} (column `fault`)", style="red", highlight=False)
