"""Has Airflow train once, as of a day, and watches until it has."""

from collections.abc import Callable
from datetime import date
from urllib.parse import quote

from rankloop.settings import Settings
from rankloop_demo.stack.airflow_api import AirflowApi, signed_in, switch_on
from rankloop_demo.stack.watching import run_again, watch

DAG = "continuous_training"


def train_as_of(settings: Settings, day: date, reason: str, trials: int, on_task: Callable[[str], None]) -> str:
    """Train as of this day and return the id of the run once it has succeeded; a failed run is run again.

    `trials` sets of parameters are tried. `on_task` is called with each task that begins. Asked for again, the day
    is not trained again.
    """
    switch_on(settings, DAG)
    api, run = signed_in(settings, "admin"), f"requested__{day}"
    if _state(api, run) is None:
        conf = {"day": day.isoformat(), "reason": reason, "drift": False, "trials": trials}
        api.ask("POST", f"/dags/{DAG}/dagRuns", {"dag_run_id": run, "logical_date": None, "conf": conf})
    return watch_training(settings, run, on_task)


def watch_training(settings: Settings, run: str, on_task: Callable[[str], None]) -> str:
    """Wait until the run has succeeded and return its id; if it failed before, it is run again."""
    api = signed_in(settings, "admin")
    if _state(api, run) == "failed":
        run_again(api, DAG, run)
    watch(api, DAG, run, on_task)
    return run


def _state(api: AirflowApi, run: str) -> str | None:
    """Return the run's state, or None where there is no such run; asked for by name, as lists end at a hundred."""
    path = f"/dags/{DAG}/dagRuns?run_id_pattern={quote(run)}"
    return next((entry["state"] for entry in api.ask("GET", path)["dag_runs"] if entry["dag_run_id"] == run), None)
