"""`rankloop ledger`: who decided what about which version, and why."""

import sys

import typer
from rich.console import Console

ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: who decided what about which version, and why.")


@ledger_app.command("show")
def ledger_show() -> None:
    """Tell what was decided, oldest first."""
    from rankloop.champions.current import reconcile_aliases
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages

    with open_context() as context:
        pages.show_ledger(Console(), reconcile_aliases(context.state, context.registry))


@ledger_app.command("verify")
def ledger_verify() -> None:
    """Say whether the ledger is as it was written; fails if it is not."""
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages
    from rankloop.registry import aliases
    from rankloop.state import ledger

    with open_context() as context:
        entries = ledger.read_ledger(context.state)
        flaws = ledger.verify_chain(entries, aliases.read(context.registry).mark)
    pages.show_flaws(Console(), entries, flaws)
    if flaws:
        sys.exit(1)
