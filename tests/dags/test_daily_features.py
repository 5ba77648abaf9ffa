"""What the tasks of daily_features hand on, and which of their failures are tried again."""

from copy import deepcopy
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rankloop.contracts.cleaning import Check
from rankloop.events import tasks
from rankloop.events.checks import DayStoppedError
from rankloop.features.build import DaysMissingError
from rankloop.marketplace.connection import MarketplaceDownError
from rankloop.settings import Settings

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.mark.parametrize("task", ["extract", "clean", "aggregate", "build", "publish", "look_back"])
def test_what_time_mends_is_tried_again_and_nothing_else(dag_bag: "DagBag", task: str) -> None:
    policy = dag_bag.dags["daily_features"].get_task(task).retry_policy
    stopped = DayStoppedError(Check.BAD_ROWS, "3 of 4 rows are bad")
    down, missing = MarketplaceDownError("MongoDB does not answer"), DaysMissingError("daily/* lacks a day")
    decided = {type(error): policy.evaluate(error, 1, 4).action.value for error in (down, missing, stopped)}
    assert decided == {MarketplaceDownError: "retry", DaysMissingError: "retry", DayStoppedError: "fail"}
    # What nobody foresaw is tried as often as Airflow is told to.
    assert policy.evaluate(ZeroDivisionError(), 1, 4).action.value == "default"


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[date, list[str]]]:
    """What cleaning is asked to accept, and for which day."""
    asked: list[tuple[date, list[str]]] = []

    def clean_day(_: Settings, day: date, __: object, accept: list[str]) -> dict[str, Any]:
        asked.append((day, accept))
        return {}

    monkeypatch.setattr(tasks, "clean_day", clean_day)
    return asked


def clean(dag_bag: "DagBag", conf: dict[str, Any]) -> None:
    """Run the task as a worker does for a run of this partition and configuration."""
    from airflow.sdk.definitions.param import process_params  # noqa: PLC0415  (reads its home when first imported)

    task = dag_bag.dags["daily_features"].get_task("clean")
    # A worker reads the file for each run; here all runs share it, and params remember what they were set to.
    own = SimpleNamespace(params=deepcopy(task.params))
    params = process_params(own, own, conf, suppress_exception=False)
    task.python_callable(dag_run=SimpleNamespace(partition_key="2026-11-03", conf=conf), params=params)


def test_a_run_asked_for_with_accept_lets_its_day_through(
    dag_bag: "DagBag", accepted: list[tuple[date, list[str]]]
) -> None:
    clean(dag_bag, {"accept": ["empty_day"]})
    assert accepted == [(date(2026, 11, 3), ["empty_day"])]


def test_a_run_of_the_schedule_accepts_nothing(dag_bag: "DagBag", accepted: list[tuple[date, list[str]]]) -> None:
    clean(dag_bag, {})
    assert accepted == [(date(2026, 11, 3), [])]
