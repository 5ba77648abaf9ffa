"""Which day a run is about."""

import importlib
from datetime import date
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.dags.conftest import DAGS

from rankloop.errors import RankloopError

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.fixture
def orchestration(dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the DAGs share, imported in an Airflow of the tests' own."""
    assert dag_bag.dags
    monkeypatch.syspath_prepend(str(DAGS))
    return importlib.import_module("orchestration")


def run(key: str | None = None, **conf: object) -> SimpleNamespace:
    return SimpleNamespace(partition_key=key, conf=conf)


def test_a_weeks_training_is_as_of_its_sunday(orchestration: ModuleType) -> None:
    assert orchestration.as_of_day(run("2026-11-09 (W46)"), {}) == date(2026, 11, 15)


def test_a_training_that_was_asked_for_is_as_of_its_day(orchestration: ModuleType) -> None:
    assert orchestration.as_of_day(run(day="2026-11-21"), {}) == date(2026, 11, 21)


@pytest.mark.parametrize("key", ["2026-11-21", "2026-11-10 (W46)", "2026-11-09", "2026-11-09 (W46) again"])
def test_a_partition_that_is_no_week_is_refused(orchestration: ModuleType, key: str) -> None:
    with pytest.raises(RankloopError, match=r"is no week: .* start the DAG with the parameter `day`"):
        orchestration.as_of_day(run(key), {})


def test_a_training_is_told_how_it_was_asked_for(orchestration: ModuleType) -> None:
    by_form = {"reason": "new features", "drift": False, "trials": None, "since": None}
    assert orchestration.training_request(run(), by_form) == by_form
    assert orchestration.training_request(run(trials=4, since="2026-11-22"), by_form) == {
        **by_form,
        "trials": 4,
        "since": date(2026, 11, 22),
    }
    assert orchestration.training_request(run("2026-11-09 (W46)"), by_form) == {
        "reason": "the week 2026-11-09 (W46) is complete"
    }
