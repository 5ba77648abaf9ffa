"""Watches the DAGs that follow a day's features, until they have run for it."""

import time
from collections.abc import Callable
from datetime import date
from urllib.parse import quote

from rankloop.settings import Settings
from rankloop_demo.stack.airflow_api import signed_in, switch_on
from rankloop_demo.stack.watching import ask_for, run_of, watch_on

SCORING, CHECKS = "batch_scoring", "drift_checks"
FOLLOWS_WITHIN_S = 30.0
LOOK_EVERY_S = 0.5


def follow(settings: Settings, dag_id: str, day: date, on_task: Callable[[str], None], *, by_itself: bool) -> None:
    """Return once the DAG has run for this day with success; a run that failed is cleared and goes on.

    `by_itself` says that the day's features were published while the DAG was on, so that it need not be asked for. A
    day that it has run for is not run again.
    """
    was_paused = switch_on(settings, dag_id)
    api = signed_in(settings, "admin")
    deadline = time.monotonic() + FOLLOWS_WITHIN_S
    while not (run := run_of(api, dag_id, day)) and by_itself and not was_paused and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    watch_on(api, dag_id, run or ask_for(api, dag_id, day), on_task)


def follow_promotion(settings: Settings, run: str, on_task: Callable[[str], None]) -> None:
    """Return once the newest day is ranked by the champion that this run of model_promotion made, if it made one."""
    switch_on(settings, SCORING)
    api, wanted = signed_in(settings, "admin"), f"model_promotion_{run}"
    runs = api.ask("GET", f"/dags/{SCORING}/dagRuns?run_id_pattern={quote(wanted)}")["dag_runs"]
    for entry in runs:
        if entry["dag_run_id"] == wanted:
            watch_on(api, SCORING, entry, on_task)
