"""A training by the real scheduler: from history to a registered challenger, killed, cleared, and always the same."""

from datetime import date, timedelta
from typing import Any

import pytest

from rankloop.calendar import days_between
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import TrainingRun, find_training
from rankloop.training import record
from rankloop_demo.stack.airflow_api import AirflowApi, signed_in
from tests.e2e.clearing import ENDED, Run
from tests.running import RunningStack, wait_until

pytestmark = pytest.mark.stack

DAG = "/dags/continuous_training"


@pytest.fixture(scope="module")
def airflow(stack: RunningStack, demo: str) -> AirflowApi:
    """Airflow, as on-call sees it, once the demo has trained."""
    assert "Train a challenger" in demo
    return signed_in(stack.settings, "oncall")


@pytest.fixture(scope="module")
def run(airflow: AirflowApi) -> Run:
    """The run that the demo asked for."""
    runs = airflow.ask("GET", f"{DAG}/dagRuns?limit=100")["dag_runs"]
    found = next(run["dag_run_id"] for run in runs if run["dag_run_id"].startswith("requested__"))
    return Run(airflow, "continuous_training", found)


@pytest.fixture(scope="module")
def training(stack: RunningStack, run: Run) -> TrainingRun:
    """What the training left in MLflow."""
    return find_training(Registry(stack.settings.mlflow), run.run_id)


def found(training: TrainingRun) -> dict[str, Any]:
    """What a training came to."""
    tags = training.tags
    names = ("rankloop.data", "rankloop.model_digest", "rankloop.outcome", "rankloop.version", "rankloop.verdict")
    texts = (record.COMPARISON, record.GATE, record.EVALUATION)
    return {**{name: tags[name] for name in names}, **{name: training.get_json(name) for name in texts}}


def test_the_demo_registers_a_challenger_and_says_where_its_figures_are(
    stack: RunningStack, demo: str, training: TrainingRun
) -> None:
    version = versions.versions(Registry(stack.settings.mlflow))[-1]
    assert version.run_id == training.run_id
    assert f"version {version.number} is registered" in demo
    assert f"rankloop train show {training.run_id}" in demo
    table = stack.rankloop("train", "show", training.run_id).stdout
    assert all(word in table for word in ("base_score", "pscore", "test_0", "NDCG", "@5"))
    assert "<html" in training.get_text(record.REPORT)


@pytest.mark.parametrize("task", ["tune", "train", "register"])
def test_a_task_killed_while_it_runs_and_cleared_leaves_the_same_training(
    task: str, stack: RunningStack, run: Run, training: TrainingRun
) -> None:
    before, versions_before = found(training), len(versions.versions(Registry(stack.settings.mlflow)))
    run.kill(task, stack)
    run.clear(task)
    run.succeed(task)
    assert found(training) == before
    assert len(versions.versions(Registry(stack.settings.mlflow))) == versions_before


def test_a_week_that_is_complete_starts_a_training_which_says_when_history_is_too_short(stack: RunningStack) -> None:
    airflow, monday = signed_in(stack.settings, "admin"), date(2026, 1, 5)
    assets = airflow.ask("GET", "/assets")["assets"]
    features = next(asset["id"] for asset in assets if asset["name"] == "features")
    for day in days_between(monday, monday + timedelta(days=6)):
        airflow.ask("POST", "/assets/events", {"asset_id": features, "partition_key": day.isoformat(), "extra": {}})

    def weekly() -> list[dict[str, Any]]:
        runs = airflow.ask("GET", f"{DAG}/dagRuns?limit=100")["dag_runs"]
        return [run for run in runs if (run["partition_key"] or "").startswith(monday.isoformat())]

    wait_until(lambda: weekly() and weekly()[0]["state"] in ENDED, "the week's training to end", within_s=120)
    [run] = weekly()
    assert Run(airflow, "continuous_training", run["dag_run_id"]).states("plan") == {"skipped"}
