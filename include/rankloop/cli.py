"""The `rankloop` command: thin, each command calls one function of the library."""

import sys

import typer
from rich.console import Console

from rankloop.errors import RankloopError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
stack_app = typer.Typer(no_args_is_help=True, help="The embedded stack: start, stop, look.")
app.add_typer(stack_app, name="stack")


def main() -> None:
    """Run the command; an error meant for a person is printed as one, without a traceback."""
    try:
        app()
    except RankloopError as error:
        Console(stderr=True).print(f"rankloop: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
