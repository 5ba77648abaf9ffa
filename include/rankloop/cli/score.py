"""`rankloop score`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day
from rankloop.context import open_context


def score(
    source: Annotated[Path, typer.Option("--input", help="a Parquet file of lists")],
    target: Annotated[Path, typer.Option("--output", help="where the same rows go, with their scores")],
    day: Annotated[str | None, typer.Option(help="the day of the features, YYYY-MM-DD; by default the newest")] = None,
) -> None:
    """Score the lists in a file with the champion."""
    from rankloop.desk.scoring import print_file_result, row_progress
    from rankloop.scoring.files import score_file

    console = Console()
    with open_context() as context, row_progress(console) as on_rows:
        result = score_file(context, source, target, parse_day(day) if day else None, on_rows)
    print_file_result(console, result, target)
