"""The named steps of `make demo`, one after the other, each of which can be done again.

A step that was cut short goes on where it stood, so `make demo` again is the way on after any error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from rich.console import Console

from rankloop.errors import RankloopError
from rankloop.settings import Settings, variable
from rankloop_demo.demo.days import build, days_of
from rankloop_demo.demo.ranking import ask_ml_lead, train_after_drift, train_challenger
from rankloop_demo.demo.story import close_the_loop, live_under_drift, recover
from rankloop_demo.simulator.plan import diary_of
from rankloop_demo.simulator.terminal import live_with_progress
from rankloop_demo.stack import lifecycle, terminal
from rankloop_demo.stack.airflow_api import switch_on
from rankloop_demo.stack.people import passwords_file

LEFT_TO_YOU = (
    f"left to you: the marketplace is your own. {variable('simulator.enabled')}=true puts a simulated one into an "
    "empty MongoDB"
)


@dataclass(frozen=True)
class Step:
    """One step of the demo."""

    title: str
    run: Callable[[Settings, Console], str]
    """Does it, shows its progress, and says what it came to."""
    simulated: bool = True
    """Whether it is about the simulated marketplace: one of your own is left to you."""


def start_servers(settings: Settings, console: Console) -> str:
    """Airflow, MLflow and MongoDB, up and healthy."""
    with terminal.progress(console) as announce:
        facts = lifecycle.start(settings, announce)
    terminal.show_facts(console, settings, facts)
    return "already up" if facts.already_up else "up"


def live_history(settings: Settings, console: Console) -> str:
    """Some weeks of marketplace life in MongoDB, up to some days ago."""
    demo = days_of(settings)
    place, days = demo.place, demo.history
    reports = live_with_progress(console, place, days, diary_of(settings))
    shown = sum(report.shown for report in reports)
    lived = f"{len(reports)} days lived, {shown:,} products shown" if reports else "nothing was missing"
    return f"{days[0]} to {days[-1]}: {lived}"


def let_it_live_on(settings: Settings, _console: Console) -> str:
    """The DAG that lives one more day each night, switched on."""
    switch_on(settings, "marketplace_day")
    return "marketplace_day is on"


def build_features(settings: Settings, console: Console) -> str:
    """The features of every day there is, built by Airflow's scheduler."""
    demo = days_of(settings)
    built = build(settings, console, demo.history, demo.last)
    return f"features of {len(demo.history)} days, {built} built now"


def steps(settings: Settings, *, answered_by_hand: bool = False) -> Sequence[Step]:
    """What the demo does, in its order; somebody at the keyboard may want to answer the requests themselves."""
    asked = ask_ml_lead(by_hand=answered_by_hand)
    drift = (
        Step(f"Something happens: {settings.simulator.strike}", live_under_drift),
        Step("Train on what came after it", train_after_drift),
        Step("Ask the ML lead again", asked),
        Step("Look whether it was worth it", recover),
    )
    return (
        Step("Start the servers", start_servers, simulated=False),
        Step("Live the marketplace's history", live_history),
        Step("Build the features of every day", build_features),
        Step("Train a challenger", train_challenger),
        Step("Ask the ML lead", asked),
        Step("Close the loop", close_the_loop),
        *(drift if settings.simulator.strike else ()),
        Step("Let it live on, a day each night", let_it_live_on),
    )


def run_demo(settings: Settings, console: Console, steps: Sequence[Step]) -> None:
    """Every step in turn, then what to look at."""
    for number, step in enumerate(steps, 1):
        console.rule(f"{number}/{len(steps)}  {step.title}", align="left")
        started = monotonic()
        try:
            outcome = LEFT_TO_YOU if step.simulated and not settings.simulated else step.run(settings, console)
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
