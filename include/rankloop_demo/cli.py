"""The commands `rankloop stack`, `rankloop simulator` and `rankloop demo`, which a production install has not."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

import typer
from rich.console import Console

from rankloop.calendar import parse_day, yesterday
from rankloop.settings import load_settings
from rankloop_demo.stack import lifecycle, terminal

stack_app = typer.Typer(no_args_is_help=True, help="The embedded stack: start, stop, look.")
simulator_app = typer.Typer(
    no_args_is_help=True, help="The simulated marketplace: live days, compare with the reference."
)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to those of the library; named as an entry point of `rankloop.commands`."""
    app.add_typer(stack_app, name="stack")
    app.add_typer(simulator_app, name="simulator")
    app.command("demo")(demo)


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


@simulator_app.command("live")
def simulator_live(
    until: Annotated[str, typer.Option(help="the last day, YYYY-MM-DD; by default yesterday")] = "",
) -> None:
    """Live the days that are missing in MongoDB, from the marketplace's first on."""
    from rankloop_demo.simulator.plan import diary_of, history_until, marketplace_of
    from rankloop_demo.simulator.terminal import live_with_progress

    settings, console, now = load_settings(), Console(), datetime.now(UTC)
    place = marketplace_of(settings, now)
    days = history_until(place, parse_day(until) if until else yesterday(now, settings.zone))
    reports = live_with_progress(console, place, days, diary_of(settings))
    console.print(f"{len(reports)} of {len(days)} days were missing and have been lived.", highlight=False)


@simulator_app.command("calibrate")
def simulator_calibrate(
    days: Annotated[int, typer.Option(min=1, help="how many days to look at")] = 8,
) -> None:
    """Compare the simulated base ranking with the reference's, and with the best that could be; needs no server."""
    from rankloop_demo.simulator.calibration import calibrate
    from rankloop_demo.simulator.plan import history_until, marketplace_from
    from rankloop_demo.simulator.terminal import calibration_table

    # Any day will do, as long as it is the same each time the command is run.
    place = marketplace_from(load_settings(), date(2026, 10, 1))
    rows = calibrate(place, history_until(place, place.first_day + timedelta(days=days - 1)))
    Console().print(calibration_table(rows))


def demo(
    approve: Annotated[Literal["auto", "ask"], typer.Option(help="ask: you answer the request to promote")] = "auto",
) -> None:
    """Start the stack and carry out the whole loop once; again: resume."""
    from rankloop_demo.demo.steps import run_demo, steps

    settings = load_settings()
    run_demo(settings, Console(), steps(settings, answered_by_hand=approve == "ask"))
