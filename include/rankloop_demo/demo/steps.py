"""The named steps of `make demo`, one after the other, each of which can be done again.

A step that was cut short resumes, so `make demo` again is the way on after any error.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from time import monotonic

from rich.console import Console

from rankloop.errors import RankloopError
from rankloop.settings import Settings, variable
from rankloop_demo.demo.days import build, days_of
from rankloop_demo.demo.ranking import ask_ml_lead, train_after_drift, train_challenger
from rankloop_demo.demo.screen import Screen, in_minutes
from rankloop_demo.demo.story import close_the_loop, live_under_drift, recover, value_in_words
from rankloop_demo.simulator.history import days_to_live, live_days
from rankloop_demo.simulator.plan import diary_of
from rankloop_demo.stack import lifecycle, terminal
from rankloop_demo.stack.airflow_api import switch_on
from rankloop_demo.stack.health import Server
from rankloop_demo.stack.people import passwords_file

LEFT_TO_YOU = (
    f"left to you: the marketplace is your own. {variable('simulator.enabled')}=true puts a simulated one into an "
    "empty MongoDB"
)
MONGO_WITHIN_S = 120.0


@dataclass(frozen=True)
class Step:
    """One step of the demo."""

    title: str
    expected_s: int
    """How long it is expected to take on two quiet cores."""
    run: Callable[[Settings, Screen], str]
    """Does it, shows its progress, and returns its result."""
    simulated: bool = True
    """Whether it is about the simulated marketplace: one of your own is left to you."""


def start_servers(settings: Settings, screen: Screen) -> str:
    """Start Airflow, MLflow and MongoDB; simulate the marketplace's history as soon as MongoDB answers."""
    mongo_answers = Event()

    def announce(servers: Sequence[Server]) -> None:
        waiting = [server.name for server in servers if not server.healthy]
        if servers and "mongo" not in waiting:
            mongo_answers.set()
        screen.doing(f"waiting for {', '.join(waiting)}")

    with ThreadPoolExecutor(1) as beside:
        history = beside.submit(_simulate_history, settings, screen, mongo_answers)
        try:
            facts = lifecycle.start(settings, announce)
        finally:
            mongo_answers.set()
        simulated = history.result()
    terminal.show_facts(screen.console, settings, facts)
    return f"{'already up' if facts.already_up else 'up'}; {simulated}"


def _simulate_history(settings: Settings, screen: Screen, mongo_answers: Event) -> str:
    """Simulate the days that are missing, and return a summary."""
    if not settings.simulated:
        return "the marketplace is your own"
    if not mongo_answers.wait(MONGO_WITHIN_S):
        return "MongoDB did not answer"
    demo = days_of(settings)
    days, diary = demo.history, diary_of(settings)
    missing = days_to_live(demo.place, days, diary)
    shown = 0
    for report in live_days(demo.place, missing, diary):
        shown += report.shown
        screen.doing(f"{report.day}: {report.shown:,} products shown")
    outcome = f"{len(missing)} days lived, {shown:,} products shown" if missing else "nothing was missing"
    return f"{days[0]} to {days[-1]}: {outcome}"


def build_features(settings: Settings, screen: Screen) -> str:
    """Have Airflow's scheduler build the features of every day there is."""
    demo = days_of(settings)
    built = build(settings, screen, demo.history, demo.last)
    return f"features of {len(demo.history)} days, {built} built now"


def let_it_live_on(settings: Settings, _screen: Screen) -> str:
    """Switch on the DAG that lives one more day each night."""
    switch_on(settings, "marketplace_day")
    return "marketplace_day is on"


def steps(settings: Settings, *, answered_by_hand: bool = False) -> Sequence[Step]:
    """Return what the demo does, in its order; somebody at the keyboard may want to answer the requests."""
    asked = ask_ml_lead(by_hand=answered_by_hand)
    drift = (
        Step(f"Something happens: {settings.simulator.strike}", 100, live_under_drift),
        Step("Train on what came after it", 65, train_after_drift),
        Step("Ask the ML lead again", 20, asked),
        Step("Look whether it was worth it", 50, recover),
    )
    return (
        Step("Start the servers, and live the history of a shop", 25, start_servers, simulated=False),
        Step("Build the features of every day", 40, build_features),
        Step("Train a challenger", 65, train_challenger),
        Step("Ask the ML lead, and rank for every buyer", 20, asked),
        Step("Close the loop", 30, close_the_loop),
        *(drift if settings.simulator.strike else ()),
        Step("Let it live on, a day each night", 1, let_it_live_on),
    )


def run_demo(settings: Settings, console: Console, steps: Sequence[Step]) -> None:
    """Run every step in turn, then say what to look at, how long it took, and what it was worth."""
    screen, total = Screen(console), sum(step.expected_s for step in steps)
    screen.say(f"{len(steps)} steps, about {in_minutes(total)} on two quiet cores")
    for number, step in enumerate(steps, 1):
        started = monotonic()
        with screen.step(f"{number}/{len(steps)}  {step.title}", step.expected_s):
            try:
                outcome = LEFT_TO_YOU if step.simulated and not settings.simulated else step.run(settings, screen)
            except RankloopError as error:
                raise RankloopError(
                    f"step {number} of {len(steps)}, {step.title.lower()}: {error}\n"
                    "Once that is fixed, `make demo` goes on from here."
                ) from error
        screen.say(f"      {outcome} ({in_minutes(monotonic() - started)})", style="green")
    screen.say(_what_to_look_at(settings))
    screen.say(f"It took {in_minutes(screen.seconds)}.")
    if settings.simulated and (value := value_in_words(settings)):
        screen.say(value, style="bold")


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
