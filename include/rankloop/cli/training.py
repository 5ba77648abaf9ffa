"""`rankloop train`: run, show and reproduce a training."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from rankloop.calendar import parse_day

train_app = typer.Typer(no_args_is_help=True, help="Run, show and reproduce a training.")


@train_app.command("run")
def train_run(
    as_of: Annotated[str, typer.Option(help="the last market day whose events may be used, YYYY-MM-DD")],
    reason: Annotated[str, typer.Option(help="why, for the report")],
    key: Annotated[
        str, typer.Option(help="a name for it; with the name of an interrupted training, that one is resumed")
    ] = "",
) -> None:
    """Train a challenger in this process, without Airflow: from the training set to its registration."""
    from rankloop.context import open_context
    from rankloop.desk import training as pages
    from rankloop.training.pipeline import run_training

    console, day = Console(), parse_day(as_of)
    name = key or f"command line {day} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    pages.print_progress(console, "key", name)
    with open_context() as context:
        run_id = run_training(
            context, name, day, reason, lambda step, result: pages.print_progress(console, step, result)
        )
        pages.print_training(console, context, run_id)


@train_app.command("show")
def train_show(run_id: Annotated[str, typer.Argument(help="the id of the MLflow run")]) -> None:
    """Show a training: its evaluation, the gate's verdict, and links to the report and the run."""
    from rankloop.context import open_context
    from rankloop.desk import training as pages

    with open_context() as context:
        pages.print_training(Console(), context, run_id)


@train_app.command("reproduce")
def train_reproduce(run_id: Annotated[str, typer.Argument(help="the id of the MLflow run")]) -> None:
    """Train again from a run's record; exit with 1 if the model is not the same."""
    from rankloop.context import open_context
    from rankloop.desk import training as pages
    from rankloop.training.reproduce import reproduce

    console = Console()
    with open_context() as context, console.status("Training again"):
        result = reproduce(context, run_id)
    pages.print_reproduction(console, result)
    if not result.same:
        sys.exit(1)
