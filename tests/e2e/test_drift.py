"""A day checked for drift by the real scheduler: judged, killed, cleared, and the same verdict each time."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from rankloop.features.build import lake_of
from rankloop.monitoring.judge import TABLES
from rankloop.scoring.publish import newest_day
from rankloop.stack.airflow_api import signed_in, switch_on
from rankloop.stack.watching import run_of
from tests.e2e.clearing import Run
from tests.e2e.conftest import let_nothing_follow
from tests.running import RunningStack

pytestmark = pytest.mark.stack
DAG = "drift_checks"


@pytest.fixture(scope="module")
def run(stack: RunningStack, demo: str) -> Iterator[Run]:
    """The demo's check of its newest day."""
    switch_on(stack.settings, DAG)
    api, day = signed_in(stack.settings, "oncall"), newest_day(stack.settings)
    assert day
    assert f"{day} is judged" in demo
    found = run_of(api, DAG, day)
    assert found
    yield Run(api, DAG, found["dag_run_id"])
    let_nothing_follow(stack.settings)


def kept(stack: RunningStack) -> tuple[dict[str, Any], dict[str, str | None], int]:
    """The day's verdict, what was measured, and how much was ever done."""
    day, lake = newest_day(stack.settings), lake_of(stack.settings)
    assert day
    with MongoClient[dict[str, Any]](stack.settings.mongo) as client:
        verdict = client["rankloop"]["verdicts"].find_one({"_id": day.isoformat()})
        done = client["rankloop"]["actions"].count_documents({})
    assert verdict
    return verdict, {table: lake.digests(table, [day])[day] for table in TABLES if lake.has(table)}, done


def test_a_day_is_measured_and_judged(stack: RunningStack, run: Run) -> None:
    assert all(run.states(task) == {"success"} for task in ("judge", "explain", "act"))
    verdict, measured, _ = kept(stack)
    assert measured["monitoring/quality"]
    assert f"{verdict['day']}  {verdict['state']}" in stack.rankloop("monitoring", "show").stdout


def test_prices_in_another_unit_are_called_wrong_data_and_train_nobody(stack: RunningStack, run: Run) -> None:
    verdict, _, _ = kept(stack)
    assert verdict["state"] == "alert"
    assert [cause["key"] for cause in verdict["causes"]] == ["data bug: products"]
    told = stack.rankloop("alerts", "show", "drift:data bug: products").stdout
    assert "final_price" in told
    assert "Do not train" in told
    assert run.states("retrain") == {"skipped"}
    assert not run.airflow.ask("GET", "/dags/continuous_training/dagRuns?run_id_pattern=drift__")["dag_runs"]


@pytest.mark.parametrize("task", ["measure_drift", "act"])
def test_a_task_killed_and_cleared_leaves_the_same_verdict(task: str, stack: RunningStack, run: Run) -> None:
    before = kept(stack)
    run.kill(task, stack)
    run.clear(task)
    run.succeed(task)
    assert kept(stack) == before
