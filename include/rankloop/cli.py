"""The `rankloop` command: thin, each command calls one function of the library."""

import sys
from datetime import UTC, date, datetime, timedelta
from getpass import getuser
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import typer
from rich.console import Console

from rankloop.calendar import parse_day, yesterday
from rankloop.errors import RankloopError
from rankloop.monitoring.oncall import alerts_app, monitoring_app
from rankloop.settings import load_settings
from rankloop.stack import lifecycle, terminal

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
stack_app = typer.Typer(no_args_is_help=True, help="The embedded stack: start, stop, look.")
app.add_typer(stack_app, name="stack")
simulator_app = typer.Typer(
    no_args_is_help=True, help="The simulated marketplace: live days, compare with the reference."
)
app.add_typer(simulator_app, name="simulator")
features_app = typer.Typer(no_args_is_help=True, help="Features: build a day, describe them, look at a buyer's.")
app.add_typer(features_app, name="features")
lake_app = typer.Typer(no_args_is_help=True, help="The lake: which days there are, and what changed in them.")
app.add_typer(lake_app, name="lake")
train_app = typer.Typer(no_args_is_help=True, help="Trainings: run one here, look at one, do one again.")
app.add_typer(train_app, name="train")
model_app = typer.Typer(no_args_is_help=True, help="Versions of the model: look at them, compare, roll back.")
app.add_typer(model_app, name="model")
ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: who decided what about which version, and why.")
app.add_typer(ledger_app, name="ledger")
live_app = typer.Typer(no_args_is_help=True, help="Live results: what buyers made of our rankings, against the shop's.")
app.add_typer(live_app, name="live")
app.add_typer(alerts_app, name="alerts")
app.add_typer(monitoring_app, name="monitoring")


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


@app.command("demo")
def demo(
    approve: Annotated[Literal["auto", "ask"], typer.Option(help="ask: you answer the request to promote")] = "auto",
) -> None:
    """Start the stack and carry out the whole loop once; again: go on where it stood."""
    from rankloop.demo.steps import run_demo, steps

    settings = load_settings()
    run_demo(settings, Console(), steps(settings, answered_by_hand=approve == "ask"))


@simulator_app.command("live")
def simulator_live(
    until: Annotated[str, typer.Option(help="the last day, YYYY-MM-DD; by default yesterday")] = "",
) -> None:
    """Live the days that are missing in MongoDB, from the marketplace's first on."""
    from rankloop.simulator.plan import diary_of, history_until, marketplace_of
    from rankloop.simulator.terminal import live_with_progress

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
    from rankloop.simulator.calibration import calibrate
    from rankloop.simulator.plan import history_until, marketplace_from
    from rankloop.simulator.terminal import calibration_table

    # Any day will do, as long as it is the same each time the command is run.
    place = marketplace_from(load_settings(), date(2026, 10, 1))
    rows = calibrate(place, history_until(place, place.first_day + timedelta(days=days - 1)))
    Console().print(calibration_table(rows))


@features_app.command("build")
def features_build(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default yesterday")] = "",
) -> None:
    """Make a day's aggregates from its events, and the features as of its end."""
    from rankloop.features import build
    from rankloop.features import terminal as pages

    settings, console, started = load_settings(), Console(), monotonic()
    key = parse_day(day) if day else yesterday(datetime.now(UTC), settings.zone)
    for task in (build.aggregate_day, build.build_features):
        facts = task(settings, key, lambda written: pages.show_written(console, written))
    pages.show_built(console, facts, monotonic() - started)


@features_app.command("describe")
def features_describe(
    *, markdown: Annotated[bool, typer.Option(help="as the page docs/features.md has it")] = False
) -> None:
    """Say what every feature means."""
    from rankloop.features import catalogue
    from rankloop.features import terminal as pages

    if markdown:
        typer.echo(catalogue.page(), nl=False)
    else:
        pages.show_catalogue(Console())


@features_app.command("show")
def features_show(
    buyer: Annotated[int, typer.Option(help="the buyer's account_id")],
    day: Annotated[str, typer.Option(help="as of the end of this market day; by default yesterday")] = "",
) -> None:
    """Show what is known of one buyer."""
    from rankloop.features import portrait
    from rankloop.features import terminal as pages

    settings = load_settings()
    key = parse_day(day) if day else yesterday(datetime.now(UTC), settings.zone)
    pages.show_portrait(Console(), portrait.portrait(settings, buyer, key))


@lake_app.command("days")
def lake_days(table: Annotated[str, typer.Argument(help="a table; by default the cleaned days")] = "") -> None:
    """Say which days there are, and what is in them."""
    from rankloop.events import terminal as pages
    from rankloop.lake.tables import Lake

    lake, console = Lake(load_settings().lake_root), Console()
    if table:
        pages.show_table_days(console, lake, table)
    else:
        pages.show_days(console, lake)


@lake_app.command("versions")
def lake_versions(table: Annotated[str, typer.Argument(help="a table, such as events/impressions")]) -> None:
    """Say which versions of a table there are, and which day each replaced."""
    from rankloop.events import terminal as pages
    from rankloop.lake.tables import Lake

    pages.show_versions(Console(), Lake(load_settings().lake_root).versions(table))


@lake_app.command("diff")
def lake_diff(
    table: Annotated[str, typer.Argument(help="a table, such as events/impressions")],
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD")],
    before: Annotated[int | None, typer.Option("--from", help="a version; by default before the last change")] = None,
    after: Annotated[int | None, typer.Option("--to", help="a version; by default the newest")] = None,
) -> None:
    """Say what changed in a day of a table from one version to another."""
    from rankloop.events import terminal as pages
    from rankloop.lake.comparison import diff
    from rankloop.lake.tables import Lake

    pages.show_difference(Console(), diff(Lake(load_settings().lake_root), table, parse_day(day), before, after))


@lake_app.command("tidy")
def lake_tidy(
    keep_days: Annotated[
        int | None, typer.Option(min=2, help="days for which all versions stay readable; by default as set")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, and remove nothing")] = False,
) -> None:
    """Free disk: remove old files and reports, but none that a registered model was trained on."""
    from rankloop.upkeep.terminal import tidy

    tidy(Console(), load_settings(), keep_days, dry_run=dry_run)


@app.command("quarantine")
def quarantine(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the counts of every day")] = "",
    collection: Annotated[str, typer.Option(help="one collection alone, such as interactions")] = "",
    reason: Annotated[str, typer.Option(help="one reason alone, such as bad_price")] = "",
    limit: Annotated[int, typer.Option(min=1, help="how many rows of the day to show")] = 20,
) -> None:
    """Say how many rows cleaning rejected and why, and show those of a day."""
    from rankloop.events import terminal as pages
    from rankloop.marketplace.connection import connect
    from rankloop.marketplace.quarantine import count_quarantine, list_quarantine

    key, console = parse_day(day) if day else None, Console()
    with connect(load_settings().mongo) as client:
        pages.show_rejected_counts(console, count_quarantine(client, key))
        if key:
            pages.show_rejected(console, list_quarantine(client, key, collection or None, reason or None, limit))


@train_app.command("run")
def train_run(
    as_of: Annotated[str, typer.Option(help="the market day at whose end everything is known, YYYY-MM-DD")],
    reason: Annotated[str, typer.Option(help="why, for the report")],
    key: Annotated[
        str, typer.Option(help="a name for it; with that of one that was interrupted, that one goes on")
    ] = "",
) -> None:
    """Train a challenger here, with no scheduler: build, tune, train, measure, compare, judge, register."""
    from rankloop.training import running
    from rankloop.training import terminal as pages

    settings, console, day = load_settings(), Console(), parse_day(as_of)
    name = key or f"command line {day} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    pages.show_fact(console, "key", name)
    run_id = running.run_training(settings, name, day, reason, lambda step, fact: pages.show_fact(console, step, fact))
    pages.show_training(console, settings, run_id)


@train_app.command("show")
def train_show(run_id: Annotated[str, typer.Argument(help="the id of the MLflow run")]) -> None:
    """Show how good a training's model is, the verdict, and where to read on."""
    from rankloop.training import terminal as pages

    pages.show_training(Console(), load_settings(), run_id)


@train_app.command("reproduce")
def train_reproduce(run_id: Annotated[str, typer.Argument(help="the id of the MLflow run")]) -> None:
    """Train again from what a run noted, and say whether it is the same model; fails if it is not."""
    from rankloop.training import terminal as pages
    from rankloop.training.reproduce import reproduce

    console = Console()
    with console.status("Training again"):
        found = reproduce(load_settings(), run_id)
    pages.show_reproduced(console, found)
    if not found.same:
        sys.exit(1)


@model_app.command("list")
def model_list() -> None:
    """Say which versions there are, and which is champion."""
    from rankloop.promotion import terminal as pages
    from rankloop.registry import versions

    pages.show_versions(Console(), versions.versions(load_settings()))


@model_app.command("show")
def model_show(number: Annotated[int, typer.Argument(help="the version's number")]) -> None:
    """Say what a version is, what it was made of, and what was decided about it."""
    from rankloop.champions.standing import opened, settle
    from rankloop.promotion import terminal as pages
    from rankloop.registry import versions

    settings = load_settings()
    with opened(settings) as client:
        pages.show_version(Console(), versions.version(settings, number), settle(settings, client))


@model_app.command("compare")
def model_compare(
    one: Annotated[int, typer.Argument(help="a version's number")],
    other: Annotated[int, typer.Argument(help="another's")],
) -> None:
    """Hold two versions against each other, on the newest lists that either was tested on."""
    from rankloop.promotion import terminal as pages
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


@app.command("score")
def score(
    source: Annotated[Path, typer.Option("--input", help="a Parquet file of lists")],
    target: Annotated[Path, typer.Option("--output", help="where the same rows go, with their scores")],
    day: Annotated[str | None, typer.Option(help="the day of the features, YYYY-MM-DD; by default the newest")] = None,
) -> None:
    """Score the lists in a file with the champion."""
    from rankloop.scoring.files import score_file
    from rankloop.scoring.terminal import progress, show_outcome

    console = Console()
    with progress(console) as on_rows:
        outcome = score_file(load_settings(), source, target, parse_day(day) if day else None, on_rows)
    show_outcome(console, outcome, target)


@ledger_app.command("show")
def ledger_show() -> None:
    """Tell what was decided, oldest first."""
    from rankloop.champions.standing import opened, settle
    from rankloop.promotion import terminal as pages

    settings = load_settings()
    with opened(settings) as client:
        pages.show_ledger(Console(), settle(settings, client))


@ledger_app.command("verify")
def ledger_verify() -> None:
    """Say whether the ledger is as it was written; fails if it is not."""
    from rankloop.champions.standing import opened
    from rankloop.marketplace import ledger
    from rankloop.promotion import terminal as pages
    from rankloop.registry import aliases

    settings = load_settings()
    with opened(settings) as client:
        entries = ledger.read(client)
    flaws = ledger.flaws(entries, aliases.read(settings).mark)
    pages.show_flaws(Console(), entries, flaws)
    if flaws:
        sys.exit(1)


@live_app.command("show")
def live_show(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the newest that is judged")] = "",
) -> None:
    """Show control against personalised, with intervals, and every policy."""
    from rankloop.lake.tables import Lake
    from rankloop.monitoring.terminal import show_live

    show_live(Console(), Lake(load_settings().lake_root), parse_day(day) if day else None)


def main() -> None:
    """Run the command; an error meant for a person is printed as one, without a traceback."""
    try:
        app()
    except RankloopError as error:
        Console(stderr=True).print(f"rankloop: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
