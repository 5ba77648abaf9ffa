"""`rankloop features`: build a day, describe features, look at a buyer's."""

from datetime import UTC, datetime
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day, yesterday
from rankloop.settings import load_settings

features_app = typer.Typer(no_args_is_help=True, help="Features: build a day, describe them, look at a buyer's.")


@features_app.command("build")
def features_build(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default yesterday")] = "",
) -> None:
    """Make a day's aggregates from its events, and the features as of its end."""
    from rankloop.desk import features as pages
    from rankloop.features import build

    settings, console, started = load_settings(), Console(), monotonic()
    key = parse_day(day) if day else yesterday(datetime.now(UTC), settings.zone)
    for task in (build.aggregate_day, build.build_features):
        facts = task(settings, key, lambda written: pages.show_written(console, written))
    pages.show_built(console, facts, monotonic() - started)


@features_app.command("describe")
def features_describe(
    *, markdown: Annotated[bool, typer.Option(help="as the page docs/features.md has it")] = False
) -> None:
    """Say what every feature means."""
    from rankloop.desk import features as pages
    from rankloop.features import catalogue

    if markdown:
        typer.echo(catalogue.page(), nl=False)
    else:
        pages.show_catalogue(Console())


@features_app.command("show")
def features_show(
    buyer: Annotated[int, typer.Option(help="the buyer's account_id")],
    day: Annotated[str, typer.Option(help="as of the end of this market day; by default yesterday")] = "",
) -> None:
    """Show what is known of one buyer."""
    from rankloop.desk import features as pages
    from rankloop.features import portrait

    settings = load_settings()
    key = parse_day(day) if day else yesterday(datetime.now(UTC), settings.zone)
    pages.show_portrait(Console(), portrait.portrait(settings, buyer, key))
