"""Watches one run of a DAG until it has ended well."""

import time
from collections.abc import Callable
from urllib.parse import quote

from rankloop.stack.airflow_api import AirflowApi, AirflowRefusedError

LOOK_EVERY_S = 2.0


def watch(api: AirflowApi, dag_id: str, run_id: str, on_task: Callable[[str], None]) -> None:
    """Return once the run has ended with success; `on_task` is told of each task that begins."""
    told: set[str] = set()
    path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}"
    while True:
        state = api.ask("GET", path)["state"]
        tasks = api.ask("GET", f"{path}/taskInstances?limit=100")["task_instances"]
        for task in tasks:
            if task["state"] == "running" and task["task_id"] not in told:
                told.add(task["task_id"])
                on_task(task["task_id"])
        if state == "success":
            return
        if state == "failed":
            failed = ", ".join(sorted({task["task_id"] for task in tasks if task["state"] == "failed"}))
            raise AirflowRefusedError(
                f"{dag_id} failed in {failed or 'no task of its own'}. The tasks' logs say why: "
                f"http://127.0.0.1:{api.port}/dags/{dag_id}/runs/{run_id}, and docs/runbook.md#{dag_id} what to do."
            )
        time.sleep(LOOK_EVERY_S)


def run_again(api: AirflowApi, dag_id: str, run_id: str) -> None:
    """Clear what failed of a run, so that it goes on."""
    again = {"dry_run": False, "only_failed": True, "dag_run_id": run_id}
    api.ask("POST", f"/dags/{dag_id}/clearTaskInstances", again)
