"""Has Airflow build market days, one by one or as a backfill, and watches until it has."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from rankloop.settings import Settings
from rankloop_demo.stack.airflow_api import AirflowApi, AirflowRefusedError, signed_in, switch_on
from rankloop_demo.stack.watching import run_again, watch_on

LOOK_EVERY_S = 1.0
SCHEDULED_WITHIN_S = 60.0
BACKFILL = "features_backfill"
FURTHEST = ("failed", "queued", "running", "success")


@dataclass(frozen=True)
class Progress:
    """How far the days are."""

    done: int
    running: tuple[str, ...]
    failed: tuple[str, ...]


def run_backfill(settings: Settings, days: Sequence[date], on_task: Callable[[str], None]) -> None:
    """Build days of history by `features_backfill`; requested again, a run of the same days resumes where it failed."""
    switch_on(settings, BACKFILL)
    api, first, last = signed_in(settings, "admin"), days[0].isoformat(), days[-1].isoformat()
    run_id = f"history__{first}__{last}"
    runs = api.ask("GET", f"/dags/{BACKFILL}/dagRuns?run_id_pattern={quote(run_id)}")["dag_runs"]
    run = next((run for run in runs if run["dag_run_id"] == run_id), None)
    if run is None:
        asked = {"dag_run_id": run_id, "logical_date": None, "conf": {"first": first, "last": last}}
        run = api.ask("POST", f"/dags/{BACKFILL}/dagRuns", asked)
    watch_on(api, BACKFILL, run, on_task)


def run_days(  # noqa: PLR0913  (what is run, and how it is watched)
    settings: Settings,
    dag_id: str,
    days: Sequence[date],
    due_from: date,
    on_look: Callable[[Progress], None],
    *,
    of_earlier: Mapping[str, Any],
) -> None:
    """Run these days that have no run yet, and watch until all have succeeded; failed ones are cleared and go on.

    `due_from` is the first day that the schedule may be about to run by itself; `of_earlier` is the configuration with
    which days before it are run.
    """
    api = signed_in(settings, "admin")
    switch_on(settings, dag_id)
    wanted = [day.isoformat() for day in days]
    before = _runs(api, dag_id)
    for key in wanted:
        if before.get(key, {}).get("state") == "failed":
            run_again(api, dag_id, before[key]["dag_run_id"])
    missing = [day for day in days if day.isoformat() not in before]
    earlier = [day for day in missing if day < due_from]
    _run(api, dag_id, earlier, of_earlier)
    if newest := missing[len(earlier) :]:
        _run_newest(api, dag_id, newest, due_from)
    _watch(api, dag_id, wanted, on_look)


def _run_newest(api: AirflowApi, dag_id: str, days: Sequence[date], due_from: date) -> None:
    """Run the newest days, once Airflow has had time to start those that are due on its own: none runs twice."""
    deadline = time.monotonic() + SCHEDULED_WITHIN_S
    while not (there := _due(api, dag_id, due_from)) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    _run(api, dag_id, [day for day in days if day.isoformat() not in there], {})


def _due(api: AirflowApi, dag_id: str, due_from: date) -> set[str]:
    """Return the days from `due_from` on that have a run."""
    return {key for key in _runs(api, dag_id) if key >= due_from.isoformat()}


def _run(api: AirflowApi, dag_id: str, days: Sequence[date], conf: Mapping[str, Any]) -> None:
    for day in days:
        asked = {"logical_date": None, "partition_key": day.isoformat(), "conf": dict(conf)}
        api.ask("POST", f"/dags/{dag_id}/dagRuns", asked)


def look_again(settings: Settings, dag_id: str, task_id: str, day: date) -> None:
    """Have a sensor of this day's run look now, if it waits for its next turn."""
    api = signed_in(settings, "admin")
    if run := _runs(api, dag_id).get(day.isoformat()):
        path = f"/dags/{dag_id}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/{task_id}"
        if api.ask("GET", path)["state"] == "up_for_reschedule":
            body = {"dry_run": False, "only_failed": False, "reset_dag_runs": False, "task_ids": [task_id]}
            api.ask("POST", f"/dags/{dag_id}/clearTaskInstances", {**body, "dag_run_id": run["dag_run_id"]})


def _watch(api: AirflowApi, dag_id: str, wanted: Sequence[str], on_look: Callable[[Progress], None]) -> None:
    while True:
        states = {key: run["state"] for key, run in _runs(api, dag_id).items() if key in wanted}
        of = {state: tuple(sorted(k for k, s in states.items() if s == state)) for state in ("running", "failed")}
        done = sum(state == "success" for state in states.values())
        on_look(Progress(done, of["running"], of["failed"]))
        if done == len(wanted):
            return
        if of["failed"]:
            raise AirflowRefusedError(
                f"{dag_id} failed for {', '.join(of['failed'])}. Its tasks' logs say why: "
                f"http://127.0.0.1:{api.port}/dags/{dag_id}/runs, and docs/runbook.md#{dag_id} what to do."
            )
        time.sleep(LOOK_EVERY_S)


def _runs(api: AirflowApi, dag_id: str) -> dict[str, dict[str, Any]]:
    """Return each partition's run that got furthest: there may be a scheduled and a requested one."""
    runs: list[dict[str, Any]] = []
    while True:
        page = api.ask("GET", f"/dags/{dag_id}/dagRuns?limit=100&offset={len(runs)}&order_by=run_after")
        runs += page["dag_runs"]
        if not page["dag_runs"] or len(runs) >= page["total_entries"]:
            runs.sort(key=lambda run: FURTHEST.index(run["state"]))
            return {run["partition_key"]: run for run in runs if run["partition_key"]}
