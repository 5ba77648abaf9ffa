"""`rankloop features`: build a day, describe features, look at a buyer's."""

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
    """Compute a day's aggregates from its events, and the features as of its end."""
    from rankloop.context import open_context
    from rankloop.desk import features as pages
    from rankloop.features import build

    console, started = Console(), monotonic()
    with open_context() as context:
        settings = context.settings
        key = parse_day(day) if day else yesterday(context.clock(), settings.zone)
        for task in (build.aggregate_day, build.build_features):
            result = task(
                context.lake,
                context.engine,
                settings.features,
                settings.zone,
                key,
                lambda written: pages.print_written(console, written),
            )
    pages.print_built(console, result, monotonic() - started)


@features_app.command("describe")
def features_describe(
    *, markdown: Annotated[bool, typer.Option(help="as the page docs/features.md has it")] = False
) -> None:
    """Say what every feature means."""
    from rankloop.desk import features as pages
    from rankloop.features import catalogue

    if markdown:
        typer.echo(catalogue.render_feature_catalogue(), nl=False)
    else:
        pages.print_catalogue(Console(), catalogue.load_catalogue(load_settings().features))


@features_app.command("show")
def features_show(
    buyer: Annotated[int, typer.Option(help="the buyer's account_id")],
    day: Annotated[str, typer.Option(help="as of the end of this market day; by default yesterday")] = "",
) -> None:
    """Show one buyer's features and favourites."""
    from rankloop.context import open_context
    from rankloop.desk import features as pages
    from rankloop.features.buyer_profile import buyer_profile

    with open_context() as context:
        key = parse_day(day) if day else yesterday(context.clock(), context.settings.zone)
        pages.print_buyer_profile(Console(), buyer_profile(context.lake, context.engine, buyer, key))


@features_app.command("stale")
def features_stale() -> None:
    """Name the days to rebuild: computed by another definition of a feature, or without it."""
    from rankloop.context import open_context
    from rankloop.desk import features as pages
    from rankloop.features.partitions import find_stale_partitions

    with open_context() as context:
        settings = context.settings
        pages.print_stale(Console(), find_stale_partitions(context.lake, settings.features, settings.zone))
