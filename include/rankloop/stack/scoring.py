"""Has Airflow rank for every buyer as of a day, and watches until the rankings are live."""

import time
from collections.abc import Callable
from datetime import date
from typing import Any

from rankloop.settings import Settings
from rankloop.stack.airflow_api import AirflowApi, signed_in, switch_on
from rankloop.stack.watching import run_again, watch

DAG = "batch_scoring"
FOLLOWS_WITHIN_S = 30.0
LOOK_EVERY_S = 1.0
FURTHEST = ("failed", "queued", "running", "success")
NEWEST = 100


def rank_as_of(settings: Settings, day: date, on_task: Callable[[str], None], *, follows: bool) -> None:
    """Return once batch_scoring has run for this day with success; a run that failed is cleared and goes on.

    `follows` says that the day's features were published while the DAG was on, so that it runs by itself. Asked for
    again, the day is not ranked again.
    """
    was_paused = switch_on(settings, DAG)
    api = signed_in(settings, "admin")
    deadline = time.monotonic() + FOLLOWS_WITHIN_S
    while not (run := _run_of(api, day)) and follows and not was_paused and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    run = run or api.ask("POST", f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": {"day": day.isoformat()}})
    if run["state"] == "failed":
        run_again(api, DAG, run["dag_run_id"])
    watch(api, DAG, run["dag_run_id"], on_task)


def _run_of(api: AirflowApi, day: date) -> dict[str, Any] | None:
    """The run of this day that got furthest, if there is any: one of its partition, or one that was asked for."""
    found = api.ask("GET", f"/dags/{DAG}/dagRuns?limit={NEWEST}&order_by=-run_after")["dag_runs"]
    key = day.isoformat()
    runs = [run for run in found if key in {run["partition_key"], (run["conf"] or {}).get("day")}]
    return max(runs, key=lambda run: FURTHEST.index(run["state"]), default=None)
