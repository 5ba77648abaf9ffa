"""`rankloop model`: look at versions, compare, roll back."""

from datetime import UTC, datetime
from getpass import getuser
from typing import Annotated

import typer
from rich.console import Console

from rankloop.settings import load_settings

model_app = typer.Typer(no_args_is_help=True, help="Versions of the model: look at them, compare, roll back.")


@model_app.command("list")
def model_list() -> None:
    """Say which versions there are, and which is champion."""
    from rankloop.desk import promotion as pages
    from rankloop.registry import versions
    from rankloop.registry.connection import Registry

    pages.show_versions(Console(), versions.versions(Registry(load_settings().mlflow)))


@model_app.command("show")
def model_show(number: Annotated[int, typer.Argument(help="the version's number")]) -> None:
    """Say what a version is, what it was made of, and what was decided about it."""
    from rankloop.champions.current import reconcile_aliases
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages
    from rankloop.registry import versions

    with open_context() as context:
        entries = reconcile_aliases(context.state, context.registry)
        pages.show_version(Console(), versions.version(context.registry, number), entries)


@model_app.command("compare")
def model_compare(
    one: Annotated[int, typer.Argument(help="a version's number")],
    other: Annotated[int, typer.Argument(help="another's")],
) -> None:
    """Hold two versions against each other, on the newest lists that either was tested on."""
    from rankloop.desk import promotion as pages
    from rankloop.promotion.comparing import compare_versions

    console = Console()
    with console.status("Scoring the lists with both"):
        pair = compare_versions(load_settings(), one, other)
    pages.show_pair(console, pair)


@model_app.command("rollback")
def model_rollback(
    reason: Annotated[str, typer.Option(help="why, for the ledger")],
    version: Annotated[int | None, typer.Option(help="a former champion; by default the one before this")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would happen, and change nothing")] = False,
) -> None:
    """Make a former champion the champion again."""
    from rankloop.promotion.rollback import Wish, roll_back
    from rankloop.scoring.publish import show_again

    now, settings, console = datetime.now(UTC), load_settings(), Console()
    wish = Wish(f"{getuser()} at the command line", reason, f"command line {now.isoformat()}", version)
    console.print(roll_back(settings, wish, now, dry_run=dry_run).sentence, highlight=False, soft_wrap=True)
    if not dry_run:
        shown = show_again(settings, now)
        told = (
            f"Its rankings {shown} are live." if shown else "It has no rankings to show: start batch_scoring for a day."
        )
        console.print(told, highlight=False, soft_wrap=True)
