"""`rankloop model`: list, show and compare model versions, and roll back."""

from getpass import getuser
from typing import Annotated

import typer
from rich.console import Console

model_app = typer.Typer(no_args_is_help=True, help="List, show and compare model versions, and roll back.")


@model_app.command("list")
def model_list() -> None:
    """List all versions, newest first, with their aliases."""
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages
    from rankloop.registry import versions

    with open_context() as context:
        pages.print_versions(Console(), versions.versions(context.registry))


@model_app.command("show")
def model_show(number: Annotated[int, typer.Argument(help="the version's number")]) -> None:
    """Show a version: its data, its gate verdict, and the decisions about it."""
    from rankloop.champions.current import reconcile_aliases
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages
    from rankloop.registry import versions

    with open_context() as context:
        entries = reconcile_aliases(context.state, context.registry)
        pages.print_version(Console(), versions.version(context.registry, number), entries)


@model_app.command("compare")
def model_compare(
    first: Annotated[int, typer.Argument(help="a version's number")],
    second: Annotated[int, typer.Argument(help="another version's number")],
) -> None:
    """Compare two versions on the newest lists that either was tested on."""
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages
    from rankloop.promotion.version_comparison import compare_versions

    console = Console()
    with open_context() as context, console.status("Scoring the lists with both"):
        pair = compare_versions(context, first, second)
    pages.print_version_pair(console, pair)


@model_app.command("rollback")
def model_rollback(
    reason: Annotated[str, typer.Option(help="why, for the ledger")],
    version: Annotated[int | None, typer.Option(help="a former champion; by default the previous champion")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would change, and change nothing")] = False,
) -> None:
    """Make a former champion the champion again."""
    from rankloop.context import open_context
    from rankloop.promotion.rollback import RollbackRequest, roll_back
    from rankloop.scoring.publishing import republish_champion_batch

    console = Console()
    with open_context() as context:
        key = f"command line {context.clock().isoformat()}"
        request = RollbackRequest(f"{getuser()} at the command line", reason, key, version)
        result = roll_back(context, request, dry_run=dry_run)
        console.print(result.sentence, highlight=False, soft_wrap=True)
        if dry_run:
            return
        batch = republish_champion_batch(context.state, context.registry, context.clock())
    message = f"Its rankings {batch} are live." if batch else "It has no rankings left: start batch_scoring for a day."
    console.print(message, highlight=False, soft_wrap=True)
