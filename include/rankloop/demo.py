"""`make demo`: named steps, one after the other, each of which can be done again.

A step that was cut short goes on where it stood, so `make demo` again is the way on after any error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from rankloop.calendar import yesterday
from rankloop.errors import RankloopError
from rankloop.settings import Settings, variable
from rankloop.simulator.living import Marketplace
from rankloop.simulator.plan import days_until, diary_of, marketplace_of
from rankloop.simulator.terminal import live_with_progress
from rankloop.stack import approving, lifecycle, terminal
from rankloop.stack.airflow_api import switch_on
from rankloop.stack.backfill import Progress, look_again, run_days
from rankloop.stack.checking import check_day
from rankloop.stack.people import passwords_file
from rankloop.stack.scoring import rank_as_of
from rankloop.stack.training import train_as_of

LEFT_TO_YOU = (
    f"left to you: the marketplace is your own. {variable('simulator.enabled')}=true puts a simulated one into an "
    "empty MongoDB"
)
WHY = "there is history enough for a first model"
WHY_APPROVED = "better on the newest lists, and nowhere worse"


@dataclass(frozen=True)
class Step:
    """One step of the demo."""

    title: str
    run: Callable[[Settings, Console], str]
    """Does it, shows its progress, and says what it came to."""


def start_servers(settings: Settings, console: Console) -> str:
    """Airflow, MLflow and MongoDB, up and healthy."""
    with terminal.progress(console) as announce:
        facts = lifecycle.start(settings, announce)
    terminal.show_facts(console, settings, facts)
    return "already up" if facts.already_up else "up"


@dataclass(frozen=True)
class Days:
    """The days of the demo, as they are when a step begins."""

    place: Marketplace
    history: Sequence[date]
    loop: Sequence[date]
    """From the end of history up to yesterday."""
    last: date


def days_of(settings: Settings) -> Days:
    """The days of the demo up to yesterday."""
    now = datetime.now(UTC)
    place, last = marketplace_of(settings, now), yesterday(now, settings.zone)
    return Days(place, *days_until(place, settings, last), last)


def live_history(settings: Settings, console: Console) -> str:
    """Some weeks of marketplace life in MongoDB, up to some days ago."""
    if not settings.simulated:
        return LEFT_TO_YOU
    demo = days_of(settings)
    place, days = demo.place, demo.history
    reports = live_with_progress(console, place, days, diary_of(settings))
    shown = sum(report.shown for report in reports)
    lived = f"{len(reports)} days lived, {shown:,} products shown" if reports else "nothing was missing"
    return f"{days[0]} to {days[-1]}: {lived}"


def let_it_live_on(settings: Settings, _console: Console) -> str:
    """The DAG that lives one more day each night, switched on."""
    if not settings.simulated:
        return LEFT_TO_YOU
    switch_on(settings, "marketplace_day")
    return "marketplace_day is on"


def build_features(settings: Settings, console: Console) -> str:
    """The features of every day there is, built by Airflow's scheduler."""
    if not settings.simulated:
        return LEFT_TO_YOU
    demo = days_of(settings)
    built = _build(settings, console, demo.history, demo.last)
    return f"features of {len(demo.history)} days, {built} built now"


def _build(settings: Settings, console: Console, days: Sequence[date], last: date) -> int:
    """Have Airflow build the features of these days, with a bar or lines; how many were not there before."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days"),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Building", total=len(days))

        def show(seen: Progress) -> None:
            running = ", ".join(seen.running)
            if seen.done > bar.tasks[task].completed and not console.is_terminal:
                console.print(f"{seen.done} of {len(days)} days are built, now {running or 'none'}", highlight=False)
            bar.update(task, completed=seen.done, description=f"Building {running}")

        # The schedule runs the last day by itself, or before the hour of its run the one before.
        return run_days(settings, "daily_features", days, last - timedelta(days=1), show)


def train_challenger(settings: Settings, console: Console) -> str:
    """A challenger trained on that history by Airflow's scheduler, and registered if it is better than the shop."""
    if not settings.simulated:
        return LEFT_TO_YOU
    # Heavy, and no other step needs them.
    from rankloop.ranking.windows import first_trainable  # noqa: PLC0415
    from rankloop.registry.tracking import find_training  # noqa: PLC0415
    from rankloop.training.ending import outcome  # noqa: PLC0415
    from rankloop.training.terminal import show_training  # noqa: PLC0415

    days = days_of(settings).history
    if days[-1] < (first := first_trainable(settings.training, days[0])):
        return f"history is too short: the first day as of which a training is possible is {first}"
    key = train_as_of(settings, days[-1], WHY, lambda task: console.print(f"{task} …", highlight=False))
    run = find_training(settings, key).run_id
    show_training(console, settings, run)
    told = outcome(settings, run)
    return f"version {told['version']} is registered" if "version" in told else "no challenger: see the verdict"


def ask_ml_lead(settings: Settings, console: Console, *, by_hand: bool) -> str:
    """The ML lead is asked about the challenger, and answers; approved, it is the champion."""
    if not settings.simulated:
        return LEFT_TO_YOU
    # Heavy, and no other step needs them.
    from rankloop.champions.standing import opened, settle, standing_champion  # noqa: PLC0415
    from rankloop.promotion.terminal import show_ledger  # noqa: PLC0415
    from rankloop.registry.versions import challenger  # noqa: PLC0415

    if asked := challenger(settings):
        run = approving.ask_about(settings, asked.number)
        console.print(approving.question(settings, run)["subject"], style="bold", highlight=False)
        if by_hand:
            console.print(
                f"Answer as ml-lead: {approving.page(settings, run)}\n"
                f"The password is in {passwords_file(settings.home)}.",
                highlight=False,
                soft_wrap=True,
            )
        else:
            approving.answer(settings, run, "ml-lead", "Approve", WHY_APPROVED)
        approving.wait_for_end(settings, run)
    with opened(settings) as client:
        show_ledger(console, settle(settings, client))
    champion = standing_champion(settings)
    return f"version {champion.number} is the champion" if champion else "no champion yet: nobody approved one"


def close_the_loop(settings: Settings, console: Console) -> str:
    """Day by day up to yesterday: rankings published, shown to half of the buyers, and answered by them."""
    if not settings.simulated:
        return LEFT_TO_YOU
    demo = days_of(settings)

    def tell(task: str) -> None:
        console.print(f"{task} …", highlight=False)

    for day in demo.loop:
        before = day - timedelta(days=1)
        console.print(f"{day}: rankings as of {before}, then the day itself", highlight=False)
        # Features of history were built before anybody ranked by them.
        rank_as_of(settings, before, tell, follows=before not in demo.history)
        live_with_progress(console, demo.place, [day], diary_of(settings))
        look_again(settings, "daily_features", "day_is_over", day)
        _build(settings, console, [day], demo.last)
    rank_as_of(settings, (*demo.history, *demo.loop)[-1], tell, follows=bool(demo.loop))
    return _live_results(settings, console, demo.loop)


def _live_results(settings: Settings, console: Console, days: Sequence[date]) -> str:
    """Show what buyers made of our rankings on those of the days that can be judged."""
    # Heavy, and no other step needs them.
    from rankloop.lake.tables import Lake  # noqa: PLC0415
    from rankloop.monitoring.terminal import personalised_days, show_in_short  # noqa: PLC0415

    lake = Lake(settings.lake_root)
    judged = [day for day in personalised_days(lake) if day in days]
    for day in judged:
        show_in_short(console, lake, day)
    if not judged:
        return "no live results yet: a day is judged once the day after it is there"
    return f"live results of {len(judged)} days: `rankloop live show` has more"


def watch_for_drift(settings: Settings, console: Console) -> str:
    """The newest day measured and judged by Airflow's scheduler, and each day from now on."""
    if not settings.simulated:
        return LEFT_TO_YOU
    # Heavy, and no other step needs them.
    from rankloop.champions.standing import opened  # noqa: PLC0415
    from rankloop.monitoring.verdict import verdict_of  # noqa: PLC0415

    demo = days_of(settings)
    day = (*demo.history, *demo.loop)[-1]
    check_day(settings, day, lambda task: console.print(f"{task} …", highlight=False))
    with opened(settings) as client:
        verdict = verdict_of(client, day)
    return f"{day} is judged: {verdict.state}. {verdict.reason}"


def steps(*, answered_by_hand: bool = False) -> Sequence[Step]:
    """What the demo does, in its order; somebody at the keyboard may want to answer the request themselves."""
    return (
        Step("Start the servers", start_servers),
        Step("Live the marketplace's history", live_history),
        Step("Build the features of every day", build_features),
        Step("Train a challenger", train_challenger),
        Step("Ask the ML lead", partial(ask_ml_lead, by_hand=answered_by_hand)),
        Step("Close the loop", close_the_loop),
        Step("Watch for drift", watch_for_drift),
        Step("Let it live on, a day each night", let_it_live_on),
    )


def run_demo(settings: Settings, console: Console, steps: Sequence[Step]) -> None:
    """Every step in turn, then what to look at."""
    for number, step in enumerate(steps, 1):
        console.rule(f"{number}/{len(steps)}  {step.title}", align="left")
        started = monotonic()
        try:
            outcome = step.run(settings, console)
        except RankloopError as error:
            raise RankloopError(
                f"step {number} of {len(steps)}, {step.title.lower()}: {error}\n"
                "Once that is mended, `make demo` goes on from here."
            ) from error
        console.print(f"{outcome} ({monotonic() - started:.0f} s)", style="green", highlight=False)
    console.rule("Ready", align="left")
    console.print(_what_to_look_at(settings), highlight=False, soft_wrap=True)


def _what_to_look_at(settings: Settings) -> str:
    mongo = "the MongoDB of RANKLOOP_MONGO_URI" if settings.mongo_uri else f"{settings.mongo}   database marketplace"
    first = "Look first at what the ML lead was shown: model_promotion in Airflow, task ask_ml_lead.\n"
    return f"""
  Storefront   http://127.0.0.1:{settings.ports.serving}
  Airflow      http://127.0.0.1:{settings.ports.airflow}   sign in as admin, ml-lead, oncall or viewer
  MLflow       http://127.0.0.1:{settings.ports.mlflow}
  MongoDB      {mongo}

  Passwords    {passwords_file(settings.home)}

{first if settings.simulated else ""}`make status` says what runs, `make stop` ends it and keeps everything, \
`make clean` removes everything.
"""
