"""What the tasks of daily_features hand on, and which of their failures are tried again."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rankloop.context import Context
from rankloop.contracts.cleaning import DayCheck
from rankloop.contracts.sources import SOURCES
from rankloop.events import tasks
from rankloop.events.checks import DayRejectedError
from rankloop.events.ingestion import Ingestion
from rankloop.features.build import MissingAggregatesError
from rankloop.mongo import MongoUnavailableError, connect
from rankloop.settings import load_settings
from rankloop_demo.simulator.loading import record_day

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAY = date(2026, 11, 3)


@pytest.mark.parametrize(
    "task", ["day_is_over", "extract", "clean", "aggregate", "build", "publish", "look_back", "whole_day"]
)
def test_what_time_mends_is_tried_again_and_nothing_else(dag_bag: "DagBag", task: str) -> None:
    policy = dag_bag.dags["daily_features"].get_task(task).retry_policy
    stopped = DayRejectedError(DayCheck.BAD_ROWS, "3 of 4 rows are bad")
    down, missing = MongoUnavailableError("MongoDB does not answer"), MissingAggregatesError("daily/* lacks a day")
    decided = {type(error): policy.evaluate(error, 1, 4).action.value for error in (down, missing, stopped)}
    assert decided == {MongoUnavailableError: "retry", MissingAggregatesError: "retry", DayRejectedError: "fail"}
    # What nobody foresaw is tried as often as Airflow is told to.
    assert policy.evaluate(ZeroDivisionError(), 1, 4).action.value == "default"


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[date, list[str]]]:
    """What cleaning is asked to accept, and for which day."""
    asked: list[tuple[date, list[str]]] = []

    def clean_day(_: Ingestion, day: date, __: object, accept: list[str]) -> dict[str, Any]:
        asked.append((day, accept))
        return {}

    monkeypatch.setattr(tasks, "clean_day", clean_day)
    monkeypatch.setattr(Context, "ingestion", None)  # no server is asked
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


@pytest.fixture
def _read_anew() -> Iterator[None]:
    """Settings are read once a process; here, once a test."""
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def over(dag_bag: "DagBag", *, at_once: bool = False) -> list[Any]:
    """Ask the sensor as a worker does; which tasks it leaves out, none while it waits."""
    from airflow.sdk.exceptions import DownstreamTasksSkipped  # noqa: PLC0415  (reads its home when first imported)

    task = dag_bag.dags["daily_features"].get_task("day_is_over")
    run = SimpleNamespace(partition_key=DAY.isoformat(), conf={})
    try:
        assert not task.python_callable(dag_run=run, params={"at_once": at_once})
    except DownstreamTasksSkipped as skipped:
        return list(skipped.tasks)
    return []


def test_nothing_is_read_before_the_day_is_over(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["daily_features"]
    assert dag.get_task("extract").upstream_task_ids == {"day_is_over"}
    first = {task.task_id for task in dag.tasks if not task.upstream_task_ids}
    assert first == {"day_is_over"}


@pytest.mark.stack
@pytest.mark.usefixtures("_read_anew")
def test_a_simulated_day_is_over_once_it_is_lived(
    dag_bag: "DagBag", mongo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKLOOP_MONGO_URI", mongo)
    monkeypatch.setenv("RANKLOOP_SIMULATOR__ENABLED", "true")
    with connect(mongo) as client:
        record_day(client, DAY - timedelta(days=1), {})
        before = over(dag_bag)
        record_day(client, DAY, {})
        assert (before, over(dag_bag)) == ([], ["whole_day"])


@pytest.mark.usefixtures("_read_anew")
def test_a_day_of_a_real_shop_is_over_when_the_clock_says_so(
    dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKLOOP_MONGO_URI", "mongodb://127.0.0.1:1")  # nobody there: it is not asked
    assert over(dag_bag)


@pytest.mark.usefixtures("_read_anew")
def test_a_day_is_done_in_steps_or_at_once_and_never_both_ways(
    dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKLOOP_MONGO_URI", "mongodb://127.0.0.1:1")
    steps = {("extract", number) for number in range(len(SOURCES))}
    assert set(over(dag_bag, at_once=False)) == {"whole_day"}
    assert set(over(dag_bag, at_once=True)) == steps
    follow = dag_bag.dags["daily_features"].get_task("day_is_over").downstream_task_ids
    assert follow == {"extract", "whole_day"}
