"""A day checked for drift by the real scheduler: judged, killed, cleared, and the same verdict each time."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from rankloop.monitoring.measure.measurements import Measurement, write_measurements
from rankloop.monitoring.measure.tables import DRIFT, PERFORMANCE
from rankloop.monitoring.policy.rule_set import TABLES
from rankloop.scoring.inputs import newest_feature_day
from rankloop.state.rankings import list_batches, live_batch, publish_batch
from rankloop_demo.stack.airflow_api import signed_in, switch_on
from rankloop_demo.stack.watching import ask_for, run_of, watch
from tests.building import lake_of
from tests.e2e.clearing import Run
from tests.e2e.conftest import let_nothing_follow
from tests.running import RunningStack, champion_now, wait_until

pytestmark = pytest.mark.stack
DAG = "drift_checks"


@pytest.fixture(scope="module")
def run(stack: RunningStack, demo: str) -> Iterator[Run]:
    """The demo's check of its newest day."""
    switch_on(stack.settings, DAG)
    api, day = signed_in(stack.settings, "oncall"), newest_feature_day(lake_of(stack.settings))
    assert day
    assert f"{day} is judged" in demo
    found = run_of(api, DAG, day)
    assert found
    yield Run(api, DAG, found["dag_run_id"])
    let_nothing_follow(stack.settings)


def kept(stack: RunningStack) -> tuple[dict[str, Any], dict[str, str | None], int]:
    """The day's verdict, what was measured, and how much was ever done."""
    day, lake = newest_feature_day(lake_of(stack.settings)), lake_of(stack.settings)
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


def put_down(stack: RunningStack, days: list[date], low: float, high: float) -> None:
    """Have these days measured as ones on which buyers took our rankings so, where 0.40 was promised."""
    champion = champion_now(stack.settings)
    assert champion
    taken = Measurement("reranked", "all", "ndcg@10", (low + high) / 2, low, high, 0.4, 1000, champion.number)
    for day in days:
        write_measurements(lake_of(stack.settings), PERFORMANCE, day, [taken])


def judged_again(checked: Run) -> set[str | None]:
    """What became of the retraining once the day is judged again."""
    checked.clear("judge", with_what_follows=True)
    wait_until(lambda: checked.airflow.ask("GET", checked.path)["state"] == "success", "the verdict", within_s=180)
    return checked.states("retrain")


def trainings(run: Run) -> list[str]:
    found = run.airflow.ask("GET", "/dags/continuous_training/dagRuns?run_id_pattern=drift__")["dag_runs"]
    return [one["dag_run_id"] for one in found]


@pytest.fixture
def evening(stack: RunningStack, run: Run) -> Iterator[Callable[[int], Run]]:
    """Has the day so many days before the newest checked as on its own evening; trainings are asked for, not begun."""
    api, newest = signed_in(stack.settings, "admin"), newest_feature_day(lake_of(stack.settings))
    assert newest
    api.ask("PATCH", "/dags/continuous_training", {"is_paused": True})

    def checked(age: int) -> Run:
        day = newest - timedelta(days=age)
        with MongoClient[dict[str, Any]](stack.settings.mongo) as client:
            client["rankloop"]["verdicts"].delete_many({"_id": {"$gte": day.isoformat()}})
        asked = ask_for(api, DAG, day)
        watch(api, DAG, asked["dag_run_id"], lambda _: None)
        return Run(api, DAG, asked["dag_run_id"])

    yield checked
    for one in trainings(run):
        api.ask("DELETE", f"/dags/continuous_training/dagRuns/{one}")
    with MongoClient[dict[str, Any]](stack.settings.mongo) as client:
        client["rankloop"]["actions"].delete_many({})
    api.ask("PATCH", "/dags/continuous_training", {"is_paused": False})


def before_newest(stack: RunningStack, *ages: int) -> list[date]:
    newest = newest_feature_day(lake_of(stack.settings))
    assert newest
    return [newest - timedelta(days=age) for age in ages]


def verdict_of(stack: RunningStack, day: date) -> dict[str, Any]:
    with MongoClient[dict[str, Any]](stack.settings.mongo) as client:
        found = client["rankloop"]["verdicts"].find_one({"_id": day.isoformat()})
    assert found
    return found


def test_bad_days_retrain_once_and_a_dip_within_noise_never(
    stack: RunningStack, run: Run, evening: Callable[[int], Run]
) -> None:
    [day], before, checked = before_newest(stack, 1), before_newest(stack, 4, 3, 2), evening(1)
    let_inputs_move(stack, day, 0.0)
    put_down(stack, before, 0.33, 0.41)
    assert judged_again(checked) == {"skipped"}
    rules = {finding["rule"] for cause in verdict_of(stack, day)["causes"] for finding in cause["findings"]}
    assert "performance" not in rules
    put_down(stack, before[1:], 0.30, 0.32)
    assert judged_again(checked) == {"skipped"}  # two bad days are told, and are too few to learn other tastes from
    assert "Tastes moved" in verdict_of(stack, day)["held_back"][0]
    put_down(stack, before, 0.30, 0.32)
    assert judged_again(checked) == {"success"}
    assert trainings(run) == [f"drift__{day}"]
    assert judged_again(checked) == {"skipped"}  # for there is one already
    assert trainings(run) == [f"drift__{day}"]


def test_two_bad_days_of_inputs_in_a_row_retrain_once(
    stack: RunningStack, run: Run, evening: Callable[[int], Run]
) -> None:
    earlier, day, next_day = before_newest(stack, 3, 2, 1)
    first = evening(2)
    put_down(stack, before_newest(stack, 5, 4, 3, 2), 0.39, 0.41)
    let_inputs_move(stack, earlier, 0.0)
    let_inputs_move(stack, day, 1.0)
    assert judged_again(first) == {"skipped"}
    let_inputs_move(stack, earlier, 1.0)
    assert judged_again(first) == {"success"}
    second = evening(1)
    put_down(stack, [day], 0.39, 0.41)
    let_inputs_move(stack, next_day, 1.0)
    assert judged_again(second) == {"skipped"}
    assert f"A training was begun as of {day}" in verdict_of(stack, next_day)["held_back"][0]
    assert trainings(run) == [f"drift__{day}"]


def let_inputs_move(stack: RunningStack, day: date, psi: float) -> None:
    """Have a day measured as one on which what the champion goes by moved so far."""
    champion = champion_now(stack.settings)
    assert champion
    moved = Measurement("feature", "product_ctr", "psi", psi, expected=0.1, rows=1000, version=champion.number)
    write_measurements(lake_of(stack.settings), DRIFT, day, [moved])


def test_rankings_that_do_worse_than_control_are_taken_off(stack: RunningStack, evening: Callable[[int], Run]) -> None:
    champion, checked = champion_now(stack.settings), evening(1)
    assert champion
    with MongoClient[dict[str, Any]](stack.settings.mongo, tz_aware=True) as client:
        shown = live_batch(client)
        assert shown
        worse = Measurement("against_control", "all", "ctr@10", -0.05, -0.08, -0.02, 0.0, 1000, champion.number)
        for day in before_newest(stack, 3, 2):
            write_measurements(lake_of(stack.settings), PERFORMANCE, day, [worse])
        switch_on(stack.settings, "batch_scoring")
        judged_again(checked)
        assert checked.states("fall_back") == checked.states("trigger_scoring") == {"success"}
        wait_until(
            lambda: (now := live_batch(client)) and now.version is None, "the shop's own to be shown", within_s=180
        )
        assert client["rankloop"]["alerts"].find_one({"kind": "held_back", "state": "open"})
        released = stack.rankloop("monitoring", "release", str(champion.number), "--reason", "tested")
        assert released.returncode == 0, released.stderr
        [before] = [batch for batch in list_batches(client) if batch.name == shown.batch]
        publish_batch(client, before, datetime.now(UTC))
