"""`rankloop quarantine`."""

from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day
from rankloop.context import open_context


def quarantine(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the counts of every day")] = "",
    collection: Annotated[str, typer.Option(help="one collection alone, such as interactions")] = "",
    reason: Annotated[str, typer.Option(help="one reason alone, such as bad_price")] = "",
    limit: Annotated[int, typer.Option(min=1, help="how many rows of the day to show")] = 20,
) -> None:
    """Count the rows that cleaning rejected, by reason, and show those of a day."""
    from rankloop.desk import events as pages
    from rankloop.state.quarantine import count_quarantine, list_quarantine

    key, console = parse_day(day) if day else None, Console()
    with open_context() as context:
        pages.print_quarantine_counts(console, count_quarantine(context.state, key))
        if key:
            pages.print_quarantined_rows(
                console, list_quarantine(context.state, key, collection or None, reason or None, limit)
            )
