"""A day's features by the real scheduler: published on the Assets page, cleared, killed, and always the same."""

from datetime import date
from typing import Any

import psutil
import pytest

from rankloop.lake.tables import Lake
from rankloop.marketplace.connection import connect
from rankloop.stack.airflow_api import AirflowApi, signed_in
from rankloop.stack.processes import processes_of
from tests.running import RunningStack, wait_until

pytestmark = pytest.mark.stack

DAG = "/dags/daily_features"
STEPS = ["extract", "clean", "aggregate", "earlier_days", "build", "publish"]
ENDED = {"success", "failed", "upstream_failed"}


@pytest.fixture(scope="module")
def airflow(stack: RunningStack, demo: str) -> AirflowApi:
    """Airflow, as on-call sees it, once the demo has built every day."""
    assert "features of 6 days, 6 built now" in demo
    return signed_in(stack.settings, "oncall")


@pytest.fixture(scope="module")
def lake(stack: RunningStack) -> Lake:
    return Lake(stack.settings.lake_root)


@pytest.fixture(scope="module")
def day(airflow: AirflowApi, lake: Lake) -> date:
    """The newest day, which looks back on all the others."""
    assert airflow
    return max(lake.days("features/buyer"))


def digests(lake: Lake, day: date) -> dict[str, str]:
    """The content of every table on a day; facts say when they were made, so they differ."""
    return {table: lake.digest(table, day) for table in lake.tables() if not table.startswith("facts/")}


def run_of(airflow: AirflowApi, day: date) -> str:
    runs = airflow.ask("GET", f"{DAG}/dagRuns?limit=100")["dag_runs"]
    return next(run["dag_run_id"] for run in runs if run["partition_key"] == day.isoformat())


def tasks(airflow: AirflowApi, run: str, task: str) -> list[dict[str, Any]]:
    entries = airflow.ask("GET", f"{DAG}/dagRuns/{run}/taskInstances?limit=100")["task_instances"]
    return [entry for entry in entries if entry["task_id"] == task]


def clear(airflow: AirflowApi, run: str, task: str) -> None:
    """Clear one task, and nothing that follows."""
    body = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "dag_run_id": run, "task_ids": [task]}
    airflow.ask("POST", f"{DAG}/clearTaskInstances", body)


def succeed(airflow: AirflowApi, run: str, task: str) -> None:
    states = lambda: {entry["state"] for entry in tasks(airflow, run, task)}  # noqa: E731
    wait_until(lambda: states() <= ENDED, f"an end of {task}", within_s=180)
    assert states() == {"success"}


def test_the_assets_page_has_one_event_a_day_that_tells_its_story(airflow: AirflowApi, lake: Lake) -> None:
    days = sorted(day.isoformat() for day in lake.days("features/buyer"))
    for asset in airflow.ask("GET", "/assets")["assets"]:
        events = airflow.ask("GET", f"/assets/events?asset_id={asset['id']}")["asset_events"]
        assert sorted(event["partition_key"] for event in events) == days
        told = {"rows", "version", "digest"} | ({"quarantined"} if asset["name"] == "events" else set())
        for event in events:
            assert event["extra"]
            assert all(told <= set(facts) for facts in event["extra"].values())
    assert len(days) == 6


def test_a_day_that_is_not_there_in_time_is_an_alert(stack: RunningStack, lake: Lake, demo: str) -> None:
    assert demo
    client = connect(stack.settings.mongo)
    late = {f"daily_features {day}" for day in lake.days("features/buyer")}
    wait_until(lambda: set(client["rankloop"]["alerts"].distinct("subject", {"kind": "late_day"})) >= late, "alerts")
    client.close()


@pytest.mark.parametrize("task", STEPS)
def test_a_task_cleared_leaves_the_same_day(task: str, airflow: AirflowApi, lake: Lake, day: date) -> None:
    before, run = digests(lake, day), run_of(airflow, day)
    clear(airflow, run, task)
    succeed(airflow, run, task)
    assert digests(lake, day) == before


@pytest.mark.parametrize("task", ["extract", "clean", "aggregate", "build"])
def test_a_task_killed_while_it_runs_and_cleared_leaves_the_same_day(
    task: str, stack: RunningStack, airflow: AirflowApi, lake: Lake, day: date
) -> None:
    before, run = digests(lake, day), run_of(airflow, day)
    states = lambda: {entry["state"] for entry in tasks(airflow, run, task)}  # noqa: E731
    killed = 0
    while not killed:  # a short task may have ended before the shot
        clear(airflow, run, task)
        while not killed and not states() <= ENDED:
            killed = kill_tasks(stack)
    stopped = {"up_for_retry", *ENDED}
    wait_until(lambda: states() <= stopped, f"{task} to be missed")
    clear(airflow, run, task)
    succeed(airflow, run, task)
    assert digests(lake, day) == before


def kill_tasks(stack: RunningStack) -> int:
    """SIGKILL whatever task runs: the process of the task, whose parent is the worker that would report its end."""
    killed = 0
    for process in processes_of(stack.settings.home):
        try:
            title = " ".join(process.handle.cmdline())
            if title.startswith("airflow worker -- ") and "LocalExecutor" not in title:
                process.handle.kill()
                killed += 1
        except psutil.NoSuchProcess:
            continue
    return killed
