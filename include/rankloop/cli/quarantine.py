"""`rankloop quarantine`."""

from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day
from rankloop.settings import load_settings


def quarantine(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the counts of every day")] = "",
    collection: Annotated[str, typer.Option(help="one collection alone, such as interactions")] = "",
    reason: Annotated[str, typer.Option(help="one reason alone, such as bad_price")] = "",
    limit: Annotated[int, typer.Option(min=1, help="how many rows of the day to show")] = 20,
) -> None:
    """Say how many rows cleaning rejected and why, and show those of a day."""
    from rankloop.desk import events as pages
    from rankloop.mongo import connect
    from rankloop.state.quarantine import count_quarantine, list_quarantine

    key, console = parse_day(day) if day else None, Console()
    with connect(load_settings().mongo) as client:
        pages.print_quarantine_counts(console, count_quarantine(client, key))
        if key:
            pages.print_quarantined_rows(
                console, list_quarantine(client, key, collection or None, reason or None, limit)
            )
