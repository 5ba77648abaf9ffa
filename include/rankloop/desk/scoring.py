"""What scoring says in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rankloop.scoring.files import Outcome


@contextmanager
def progress(console: Console) -> Iterator[Callable[[int], None]]:
    """A line that counts the rows that are scored."""
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} rows scored"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda rows: bar.advance(task, rows)


def show_outcome(console: Console, outcome: Outcome, target: Path) -> None:
    """Print the result of a file, and which rows could not be scored."""
    for note in outcome.notes:
        console.print(note, style="yellow", highlight=False, soft_wrap=True)
    good = outcome.rows - sum(outcome.faults.values())
    told = f"{target}: {good:,} of {outcome.rows:,} rows scored by {outcome.policy}, features as of {outcome.day}"
    console.print(told, highlight=False, soft_wrap=True)
    for fault, rows in sorted(outcome.faults.items()):
        console.print(f"  {rows:,} rows not scored: {fault} (column `fault`)", style="red", highlight=False)
