"""`rankloop ledger`: who decided what about which version, and why."""

import sys

import typer
from rich.console import Console

from rankloop.settings import load_settings

ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: who decided what about which version, and why.")


@ledger_app.command("show")
def ledger_show() -> None:
    """Tell what was decided, oldest first."""
    from rankloop.champions.current import opened, settle
    from rankloop.desk import promotion as pages

    settings = load_settings()
    with opened(settings) as client:
        pages.show_ledger(Console(), settle(settings, client))


@ledger_app.command("verify")
def ledger_verify() -> None:
    """Say whether the ledger is as it was written; fails if it is not."""
    from rankloop.champions.current import opened
    from rankloop.desk import promotion as pages
    from rankloop.registry import aliases
    from rankloop.registry.connection import Registry
    from rankloop.state import ledger

    settings = load_settings()
    with opened(settings) as client:
        entries = ledger.read_ledger(client)
    flaws = ledger.verify_chain(entries, aliases.read(Registry(settings.mlflow)).mark)
    pages.show_flaws(Console(), entries, flaws)
    if flaws:
        sys.exit(1)
