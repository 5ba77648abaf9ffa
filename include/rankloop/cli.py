"""The `rankloop` command: thin, each command calls one function of the library."""

import sys

import typer
from rich.console import Console

from rankloop.errors import RankloopError
from rankloop.settings import load_settings
from rankloop.stack import lifecycle, terminal

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
stack_app = typer.Typer(no_args_is_help=True, help="The embedded stack: start, stop, look.")
app.add_typer(stack_app, name="stack")


@stack_app.command("run")
def stack_run() -> None:
    """Run the stack here; Ctrl-C ends all of it."""
    settings, console = load_settings(), Console()
    announce = terminal.one_line_each(console)
    lifecycle.run(settings, announce, lambda facts: terminal.show_facts(console, settings, facts))


@stack_app.command("start")
def stack_start() -> None:
    """Start the stack in the background and wait until it is healthy."""
    settings, console = load_settings(), Console()
    with terminal.progress(console) as announce:
        facts = lifecycle.start(settings, announce)
    terminal.show_facts(console, settings, facts)


@stack_app.command("stop")
def stack_stop() -> None:
    """End every process of the stack; state is kept."""
    settings = load_settings()
    with Console().status("Ending the stack"):
        ran = lifecycle.stop(settings)
    Console().print("The stack has ended." if ran else "Nothing of the stack runs.")


@stack_app.command("status")
def stack_status() -> None:
    """Say what runs, and where."""
    settings = load_settings()
    terminal.show_status(Console(), settings, lifecycle.status(settings))


@stack_app.command("clean")
def stack_clean() -> None:
    """End the stack and remove all its state."""
    settings = load_settings()
    removed = lifecycle.clean(settings)
    Console().print(f"{settings.home} is removed." if removed else f"There is no {settings.home}.", soft_wrap=True)


def main() -> None:
    """Run the command; an error meant for a person is printed as one, without a traceback."""
    try:
        app()
    except RankloopError as error:
        Console(stderr=True).print(f"rankloop: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
