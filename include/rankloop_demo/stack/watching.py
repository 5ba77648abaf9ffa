"""Finds or asks for the run of a market day, and watches a run until it has ended well."""

import time
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

from rankloop_demo.stack.airflow_api import AirflowApi, AirflowRefusedError

LOOK_EVERY_S = 1.0
FURTHEST = ("failed", "queued", "running", "success")
NEWEST = 100


def run_of(api: AirflowApi, dag_id: str, day: date) -> dict[str, Any] | None:
    """Return the run of this day that got furthest, if any: one of its partition, or a requested one."""
    newest = api.ask("GET", f"/dags/{dag_id}/dagRuns?limit={NEWEST}&order_by=-run_after")["dag_runs"]
    key = day.isoformat()
    runs = [run for run in newest if key in {run["partition_key"], (run["conf"] or {}).get("day")}]
    return max(runs, key=lambda run: FURTHEST.index(run["state"]), default=None)


def ask_for(api: AirflowApi, dag_id: str, day: date) -> dict[str, Any]:
    """Start a new run for this day and return it."""
    body = {"logical_date": None, "conf": {"day": day.isoformat()}}
    asked: dict[str, Any] = api.ask("POST", f"/dags/{dag_id}/dagRuns", body)
    return asked


def watch_on(api: AirflowApi, dag_id: str, run: dict[str, Any], on_task: Callable[[str], None]) -> None:
    """Watch a run to its end; one that failed is cleared and goes on."""
    if run["state"] == "failed":
        run_again(api, dag_id, run["dag_run_id"])
    watch(api, dag_id, run["dag_run_id"], on_task)


def watch(api: AirflowApi, dag_id: str, run_id: str, on_task: Callable[[str], None]) -> None:
    """Return once the run has ended with success; `on_task` is called with each task that begins."""
    reported: set[str] = set()
    path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}"
    while True:
        state = api.ask("GET", path)["state"]
        tasks = api.ask("GET", f"{path}/taskInstances?limit=100")["task_instances"]
        for task in tasks:
            if task["state"] == "running" and task["task_id"] not in reported:
                reported.add(task["task_id"])
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
