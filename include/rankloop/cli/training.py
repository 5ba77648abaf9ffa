"""`rankloop train`: run one here, look at one, reproduce one."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day
from rankloop.settings import load_settings

train_app = typer.Typer(no_args_is_help=True, help="Trainings: run one here, look at one, do one again.")


@train_app.command("run")
def train_run(
    as_of: Annotated[str, typer.Option(help="the market day at whose end everything is known, YYYY-MM-DD")],
    reason: Annotated[str, typer.Option(help="why, for the report")],
    key: Annotated[
        str, typer.Option(help="a name for it; with that of one that was interrupted, that one goes on")
    ] = "",
) -> None:
    """Train a challenger here, with no scheduler: build, tune, train, measure, compare, judge, register."""
    from rankloop.desk import training as pages
    from rankloop.training import running

    settings, console, day = load_settings(), Console(), parse_day(as_of)
    name = key or f"command line {day} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    pages.show_fact(console, "key", name)
    run_id = running.run_training(settings, name, day, reason, lambda step, fact: pages.show_fact(console, step, fact))
    pages.show_training(console, settings, run_id)


@train_app.command("show")
def train_show(run_id: Annotated[str, typer.Argument(help="the id of the MLflow run")]) -> None:
    """Show how good a training's model is, the verdict, and where to read on."""
    from rankloop.desk import training as pages

    pages.show_training(Console(), load_settings(), run_id)


@train_app.command("reproduce")
def train_reproduce(run_id: Annotated[str, typer.Argument(help="the id of the MLflow run")]) -> None:
    """Train again from what a run noted, and say whether it is the same model; fails if it is not."""
    from rankloop.desk import training as pages
    from rankloop.training.reproduce import reproduce

    console = Console()
    with console.status("Training again"):
        found = reproduce(load_settings(), run_id)
    pages.show_reproduced(console, found)
    if not found.same:
        sys.exit(1)
