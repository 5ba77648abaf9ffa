"""`make demo`: named steps, one after the other, each of which can be done again.

A step that was cut short goes on where it stood, so `make demo` again is the way on after any error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from rich.console import Console

from rankloop.calendar import yesterday
from rankloop.errors import RankloopError
from rankloop.marketplace.connection import connect
from rankloop.marketplace.loading import lived_days
from rankloop.settings import Settings, variable
from rankloop.simulator.plan import diary_of, history_until, marketplace_of
from rankloop.simulator.terminal import live_with_progress
from rankloop.stack import lifecycle, terminal
from rankloop.stack.airflow_api import switch_on
from rankloop.stack.people import passwords_file


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


def live_history(settings: Settings, console: Console) -> str:
    """Some weeks of marketplace life in MongoDB, up to yesterday."""
    now = datetime.now(UTC)
    place = marketplace_of(settings, now)
    days = history_until(place, yesterday(now, settings.zone))
    reports = live_with_progress(console, place, days, diary_of(settings))
    shown = sum(report.shown for report in reports)
    lived = f"{len(reports)} days lived, {shown:,} products shown" if reports else "nothing was missing"
    return f"{days[0]} to {days[-1]}: {lived}"


def let_it_live_on(settings: Settings, _console: Console) -> str:
    """The DAG that lives one more day each night, switched on."""
    if settings.mongo_uri and not settings.simulator.enabled:
        return f"left to you: {variable('simulator.enabled')} is off, as it is by default with a MongoDB of your own"
    switch_on(settings, "marketplace_day")
    return "marketplace_day is on"


STEPS: Sequence[Step] = (
    Step("Start the servers", start_servers),
    Step("Live the marketplace's history", live_history),
    Step("Let it live on, a day each night", let_it_live_on),
)


def run_demo(settings: Settings, console: Console, steps: Sequence[Step] = STEPS) -> None:
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
    client = connect(settings.mongo)
    try:
        newest = max(lived_days(client))
    finally:
        client.close()
    mongo = "the MongoDB of RANKLOOP_MONGO_URI" if settings.mongo_uri else settings.mongo
    return f"""
  Airflow      http://127.0.0.1:{settings.ports.airflow}   sign in as admin, ml-lead, oncall or viewer
  MLflow       http://127.0.0.1:{settings.ports.mlflow}
  MongoDB      {mongo}   database marketplace

  Passwords    {passwords_file(settings.home)}

Look first at the DAG `marketplace_day` in Airflow: each night it lives one more day of the shop.
The newest day is {newest}.
`make status` says what runs, `make stop` ends it and keeps everything, `make clean` removes everything.
"""
