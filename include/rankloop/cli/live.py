"""`rankloop live`: live metrics against the shop's own ranking."""

from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day

live_app = typer.Typer(no_args_is_help=True, help="Live metrics: our rankings against the shop's own.")


@live_app.command("show")
def live_show(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the newest that is judged")] = "",
) -> None:
    """Show control against personalised, with intervals, and every policy."""
    from rankloop.context import open_context
    from rankloop.desk.monitoring import print_live_results

    with open_context() as context:
        print_live_results(Console(), context.lake, parse_day(day) if day else None)
