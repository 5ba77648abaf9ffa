"""`rankloop live`: live results against the shop's own ranking."""

from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day
from rankloop.settings import load_settings

live_app = typer.Typer(no_args_is_help=True, help="Live results: what buyers made of our rankings, against the shop's.")


@live_app.command("show")
def live_show(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the newest that is judged")] = "",
) -> None:
    """Show control against personalised, with intervals, and every policy."""
    from rankloop.desk.monitoring import show_live
    from rankloop.lake.tables import Lake

    show_live(Console(), Lake(load_settings().lake_root), parse_day(day) if day else None)
