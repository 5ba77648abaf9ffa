"""Has Airflow ask about a version, and answers as one of the stack's people."""

import time
from collections.abc import Callable
from typing import Any

from rankloop.settings import Settings
from rankloop_demo.stack.airflow_api import AirflowApi, AirflowRefusedError, signed_in, switch_on

DAG, ASK = "model_promotion", "ask_ml_lead"
LOOK_EVERY_S = 1.0
SETTLED_S = 5.0
"""An answer within a second of the question has failed the task that asks."""
WAITING = "awaiting_input"
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
ANSWERS = 3


def ask_about(settings: Settings, number: int) -> str:
    """Start the run that asks about this version and return its id once it waits for its answer or has ended."""
    switch_on(settings, DAG)
    api, run = signed_in(settings, "admin"), f"version_{number}"
    if not any(entry["dag_run_id"] == run for entry in _runs(api)):
        body = {"dag_run_id": run, "logical_date": None, "conf": {"version": number}}
        api.ask("POST", f"/dags/{DAG}/dagRuns", body)
    _until(api, run, lambda: state_of(api, run) == "success" or _asks(api, run))
    return run


def question(settings: Settings, run: str) -> dict[str, Any]:
    """Return the question of the run, as Airflow has it."""
    detail: dict[str, Any] = signed_in(settings, "viewer").ask("GET", _detail(run))
    return detail


def answer(settings: Settings, run: str, person: str, choice: str, reason: str | None) -> None:
    """Answer as this person, again where Airflow lost it: on a busy machine the task may not be parked yet."""
    body, viewer = {"chosen_options": [choice], "params_input": {"reason": reason}}, signed_in(settings, "viewer")
    for _ in range(ANSWERS):
        time.sleep(SETTLED_S)
        signed_in(settings, person).ask("PATCH", _detail(run), body)
        while not (taken := _task(viewer, run)["state"] in ENDED):
            if _asks(viewer, run) and not question(settings, run)["response_received"]:
                break
            time.sleep(LOOK_EVERY_S)
        if taken:
            return
    raise AirflowRefusedError(f"Airflow lost the answer to {run} {ANSWERS} times; answer at {page(settings, run)}")


def wait_for_end(settings: Settings, run: str) -> None:
    """Wait until the decision is applied, no matter who answers."""
    api = signed_in(settings, "viewer")
    _until(api, run, lambda: state_of(api, run) == "success")


def page(settings: Settings, run: str) -> str:
    """Return the address of the page where a person answers."""
    return f"http://127.0.0.1:{settings.ports.airflow}/dags/{DAG}/runs/{run}/tasks/{ASK}/required_actions"


def state_of(api: AirflowApi, run: str) -> str:
    """Return the state of a run."""
    return str(api.ask("GET", f"/dags/{DAG}/dagRuns/{run}")["state"])


def _asks(api: AirflowApi, run: str) -> bool:
    return bool(_task(api, run)["state"] == WAITING)


def _task(api: AirflowApi, run: str) -> dict[str, Any]:
    tasks = api.ask("GET", f"/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    return next(task for task in tasks if task["task_id"] == ASK)


def _until(api: AirflowApi, run: str, holds: Callable[[], bool]) -> None:
    while not holds():
        if state_of(api, run) == "failed":
            raise AirflowRefusedError(
                f"{DAG} failed. The tasks' logs say why: http://127.0.0.1:{api.port}/dags/{DAG}/runs/{run}, and "
                f"docs/runbook.md#{DAG} what to do."
            )
        time.sleep(LOOK_EVERY_S)


def _runs(api: AirflowApi) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = api.ask("GET", f"/dags/{DAG}/dagRuns?limit=100&order_by=-run_after")["dag_runs"]
    return runs


def _detail(run: str) -> str:
    return f"/dags/{DAG}/dagRuns/{run}/taskInstances/{ASK}/-1/hitlDetails"
