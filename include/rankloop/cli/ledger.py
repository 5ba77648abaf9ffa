"""`rankloop ledger`: print and verify the ledger of promotions."""

import sys

import typer
from rich.console import Console

ledger_app = typer.Typer(no_args_is_help=True, help="Print and verify the ledger of promotions.")


@ledger_app.command("show")
def ledger_show() -> None:
    """Print every decision, oldest first: who, what, which version, and why."""
    from rankloop.champions.current import reconcile_aliases
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages

    with open_context() as context:
        pages.print_ledger(Console(), reconcile_aliases(context.state, context.registry))


@ledger_app.command("verify")
def ledger_verify() -> None:
    """Verify the ledger's hash chain; exit with 1 if an entry was changed or removed."""
    from rankloop.context import open_context
    from rankloop.desk import promotion as pages
    from rankloop.registry import aliases
    from rankloop.state import ledger

    with open_context() as context:
        entries = ledger.read_ledger(context.state)
        errors = ledger.verify_chain(entries, aliases.read(context.registry).mark)
    pages.print_ledger_errors(Console(), entries, errors)
    if errors:
        sys.exit(1)
