"""Has Airflow train once, as of a day, and watches until it has."""

import time
from collections.abc import Callable
from datetime import date
from urllib.parse import quote

from rankloop.settings import Settings
from rankloop.stack.airflow_api import AirflowApi, AirflowRefusedError, signed_in, switch_on

DAG = "continuous_training"
LOOK_EVERY_S = 2.0


def train_as_of(settings: Settings, day: date, reason: str, on_task: Callable[[str], None]) -> str:
    """The id of the run that trained as of this day, once it has ended with success; a failed one is run again.

    `on_task` is told of each task that begins. Asked for again, the day is not trained again.
    """
    switch_on(settings, DAG)
    api, run = signed_in(settings, "admin"), f"requested__{day}"
    # By its name: a list of runs would end at the first hundred.
    asked = f"/dags/{DAG}/dagRuns?run_id_pattern={quote(run)}"
    state = next((found["state"] for found in api.ask("GET", asked)["dag_runs"] if found["dag_run_id"] == run), None)
    if state is None:
        conf = {"day": day.isoformat(), "reason": reason, "drift": False}
        api.ask("POST", f"/dags/{DAG}/dagRuns", {"dag_run_id": run, "logical_date": None, "conf": conf})
    elif state == "failed":
        again = {"dry_run": False, "only_failed": True, "dag_run_id": run}
        api.ask("POST", f"/dags/{DAG}/clearTaskInstances", again)
    _watch(api, run, on_task)
    return run


def _watch(api: AirflowApi, run: str, on_task: Callable[[str], None]) -> None:
    told: set[str] = set()
    while True:
        state = api.ask("GET", f"/dags/{DAG}/dagRuns/{run}")["state"]
        tasks = api.ask("GET", f"/dags/{DAG}/dagRuns/{run}/taskInstances?limit=100")["task_instances"]
        for task in tasks:
            if task["state"] == "running" and task["task_id"] not in told:
                told.add(task["task_id"])
                on_task(task["task_id"])
        if state == "success":
            return
        if state == "failed":
            failed = ", ".join(sorted(task["task_id"] for task in tasks if task["state"] == "failed"))
            raise AirflowRefusedError(
                f"{DAG} failed in {failed or 'no task of its own'}. The tasks' logs say why: "
                f"http://127.0.0.1:{api.port}/dags/{DAG}/runs/{run}, and docs/runbook.md#{DAG} what to do."
            )
        time.sleep(LOOK_EVERY_S)
