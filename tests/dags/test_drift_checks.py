"""How the tasks of drift_checks follow each other, which day each is asked for, and that a day trains once."""

import sys
from datetime import date, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from rankloop.monitoring import acting, incidents
from rankloop.monitoring.acting import DOABLE, NOTHING

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAY = date(2026, 11, 3)
RUN = SimpleNamespace(partition_key=DAY.isoformat(), conf={})
MEASURES = {"measure_drift", "measure_quality", "measure_performance", "measure_estimates", "measure_concept"}


@pytest.mark.parametrize(
    ("task", "module", "function", "day"),
    [
        ("measure_drift", "drift", "measure_drift", DAY),
        ("report", "drift_report", "make_report", DAY),
        ("measure_quality", "quality", "measure_quality", DAY),
        ("measure_estimates", "estimates", "measure_estimates", DAY),
        ("measure_performance", "performance", "measure_performance", DAY - timedelta(days=1)),
        ("measure_concept", "concept", "measure_concept", DAY - timedelta(days=1)),
    ],
)
def test_what_buyers_did_is_measured_of_the_day_before(  # noqa: PLR0917, PLR0913  (the columns of the table)
    task: str, module: str, function: str, day: date, dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = SimpleNamespace(**{function: lambda _, about: {"about": about}})
    monkeypatch.setitem(sys.modules, f"rankloop.monitoring.{module}", asked)
    measured = dag_bag.dags["drift_checks"].get_task(task).python_callable(dag_run=RUN, params={})
    assert measured == {"about": day}


def test_a_day_is_judged_when_all_is_measured(dag_bag: "DagBag") -> None:
    assert dag_bag.dags["drift_checks"].get_task("judge").upstream_task_ids == MEASURES


def test_nothing_waits_for_the_page(dag_bag: "DagBag") -> None:
    assert not dag_bag.dags["drift_checks"].get_task("report").downstream_task_ids


def test_on_call_is_told_before_anything_is_done(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["drift_checks"]
    order = ["judge", "explain", "act"]
    assert [dag.get_task(after).upstream_task_ids for after in order[1:]] == [{before} for before in order[:-1]]
    assert dag.get_task("act").downstream_task_ids == {"why_retrain", "fall_back"}


@pytest.mark.parametrize("choice", [*DOABLE, NOTHING])
def test_every_choice_has_its_branch(choice: str, dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "choose", lambda *_: choice)
    dag = dag_bag.dags["drift_checks"]
    branch = dag.get_task("act").python_callable(dag_run=RUN, params={})
    assert branch == ([] if choice == NOTHING else [task for task in branch if task in dag.task_ids])


def test_a_training_is_named_after_its_day_so_that_there_is_one(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["drift_checks"]
    retrain = dag.get_task("retrain")
    assert (retrain.trigger_dag_id, retrain.skip_when_already_exists) == ("continuous_training", True)
    xcom = SimpleNamespace(xcom_pull=lambda _: {"day": DAY.isoformat(), "reason": "drift on that day"})
    rendered = dag.get_template_env().from_string(retrain.trigger_run_id).render(ti=xcom)
    assert rendered == "drift__2026-11-03"
    assert retrain.conf["drift"] is True
    assert set(retrain.conf) == {"day", "reason", "since", "drift"} <= {*dag_bag.dags["continuous_training"].params}


def test_on_call_is_told_what_is_news_and_nothing_else(dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch) -> None:
    explain = dag_bag.dags["drift_checks"].get_task("explain").python_callable
    sent: list[tuple[str, ...]] = []
    monkeypatch.setitem(explain.__globals__, "APPRISE", "apprise_default")
    monkeypatch.setitem(explain.__globals__, "tell", lambda *said: sent.append(said))
    for news in ("", "# Prices are wrong"):
        monkeypatch.setattr(incidents, "explain", lambda *_, news=news: news)
        assert explain(dag_run=RUN, params={}) == news
    assert sent == [("apprise_default", "Rankloop: 2026-11-03", "# Prices are wrong")]
