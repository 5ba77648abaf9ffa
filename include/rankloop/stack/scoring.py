"""Has Airflow rank for every buyer as of a day, and watches until the rankings are live."""

import time
from collections.abc import Callable
from datetime import date

from rankloop.settings import Settings
from rankloop.stack.airflow_api import signed_in, switch_on
from rankloop.stack.watching import ask_for, run_of, watch_on

DAG = "batch_scoring"
FOLLOWS_WITHIN_S = 30.0
LOOK_EVERY_S = 1.0


def rank_as_of(settings: Settings, day: date, on_task: Callable[[str], None], *, follows: bool) -> None:
    """Return once batch_scoring has run for this day with success; a run that failed is cleared and goes on.

    `follows` says that the day's features were published while the DAG was on, so that it runs by itself. Asked for
    again, the day is not ranked again.
    """
    was_paused = switch_on(settings, DAG)
    api = signed_in(settings, "admin")
    deadline = time.monotonic() + FOLLOWS_WITHIN_S
    while not (run := run_of(api, DAG, day)) and follows and not was_paused and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    watch_on(api, DAG, run or ask_for(api, DAG, day), on_task)
