"""`rankloop lake`: which days there are, and what changed in them."""

from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day
from rankloop.context import open_context

lake_app = typer.Typer(no_args_is_help=True, help="The lake: which days there are, and what changed in them.")


@lake_app.command("days")
def lake_days(table: Annotated[str, typer.Argument(help="a table; by default the cleaned days")] = "") -> None:
    """List the days of the lake, or of one table, and what is in them."""
    from rankloop.desk import events as pages

    with open_context() as context:
        if table:
            pages.print_table_days(Console(), context.lake, table)
        else:
            pages.print_event_days(Console(), context.lake)


@lake_app.command("versions")
def lake_versions(table: Annotated[str, typer.Argument(help="a table, such as events/impressions")]) -> None:
    """List the versions of a table, and the day that each replaced."""
    from rankloop.desk import events as pages

    with open_context() as context:
        pages.print_table_versions(Console(), context.lake.versions(table))


@lake_app.command("diff")
def lake_diff(
    table: Annotated[str, typer.Argument(help="a table, such as events/impressions")],
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD")],
    before: Annotated[int | None, typer.Option("--from", help="a version; by default before the last change")] = None,
    after: Annotated[int | None, typer.Option("--to", help="a version; by default the newest")] = None,
) -> None:
    """Show what changed in a day of a table from one version to another."""
    from rankloop.desk import events as pages
    from rankloop.lake.comparison import diff_partition

    with open_context() as context:
        pages.print_partition_diff(Console(), diff_partition(context.lake, table, parse_day(day), before, after))


@lake_app.command("cleanup")
def lake_cleanup(
    keep_days: Annotated[
        int | None, typer.Option(min=2, help="days for which all versions stay readable; by default as set")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what would be removed, and remove nothing")] = False,
) -> None:
    """Free disk space: remove unused files and old reports, but nothing that a registered model was trained on."""
    from rankloop.desk.maintenance import clean_up_lake

    with open_context() as context:
        clean_up_lake(Console(), context, keep_days, dry_run=dry_run)
