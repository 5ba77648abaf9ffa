"""How the tasks of drift_checks follow each other, which day each is asked for, and that a day trains once."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.monitoring.measured_rows import DAY as DRIFTED
from tests.monitoring.measured_rows import before, psi, verdict

from rankloop.context import Context
from rankloop.errors import RankloopError
from rankloop.mongo import connect
from rankloop.monitoring.act import actions
from rankloop.monitoring.act.actions import ACTIONS, NOTHING
from rankloop.monitoring.act.incidents import NotificationError
from rankloop.monitoring.policy.verdict import record_verdict
from rankloop.settings import load_settings
from rankloop.state.alerts import Alert, list_alerts

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAY = date(2026, 11, 3)
RUN = SimpleNamespace(partition_key=DAY.isoformat(), conf={})
MEASURES = {"measure_drift", "measure_quality", "measure_performance", "measure_estimates", "measure_concept"}


@pytest.mark.parametrize(
    ("task", "module", "function", "day"),
    [
        ("measure_drift", "measure.drift", "measure_drift", DAY),
        ("report", "report.drift_report", "make_report", DAY),
        ("measure_quality", "measure.quality", "measure_quality", DAY),
        ("measure_estimates", "measure.estimates", "measure_estimates", DAY),
        ("measure_performance", "measure.performance", "measure_performance", DAY - timedelta(days=1)),
        ("measure_concept", "measure.concept", "measure_concept", DAY - timedelta(days=1)),
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


def test_an_incident_is_open_before_anything_is_done(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["drift_checks"]
    order = ["judge", "explain", "act"]
    assert [dag.get_task(after).upstream_task_ids for after in order[1:]] == [{before} for before in order[:-1]]
    assert dag.get_task("act").downstream_task_ids == {"why_retrain", "fall_back"}


@pytest.mark.parametrize("choice", [*ACTIONS, NOTHING])
def test_every_choice_has_its_branch(choice: str, dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "choose_action", lambda *_: choice)
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


def test_on_call_is_told_after_all_is_done_whatever_became_of_it(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["drift_checks"]
    tell = dag.get_task("tell")
    # Directly after the branch it would be skipped with what was not chosen.
    assert (tell.trigger_rule, tell.upstream_task_ids) == ("all_done", {"fall_back"})
    # A run fails by its last tasks.
    assert not dag.get_task("retrain").downstream_task_ids
    assert not dag.get_task("trigger_scoring").downstream_task_ids


def test_without_a_connection_nobody_is_told(dag_bag: "DagBag") -> None:
    from airflow.sdk.exceptions import AirflowSkipException  # noqa: PLC0415  (reads its home when first imported)

    load_settings.cache_clear()
    with pytest.raises(AirflowSkipException, match=r"monitoring\.apprise names no connection"):
        dag_bag.dags["drift_checks"].get_task("tell").python_callable()


class Channel(HTTPServer):
    """Where Apprise sends to: answers with these codes one after another, and keeps what it was sent."""

    def __init__(self, *codes: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.codes, self.sent = list(codes), list[dict[str, Any]]()


class Answer(BaseHTTPRequestHandler):
    """One message."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Channel)
        self.server.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.codes.pop(0))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def channel(mongo: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """A service that is down at first, behind the Airflow connection by which on-call is told."""
    with Channel(500, 200) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        config = {"path": f"json://127.0.0.1:{server.server_port}", "tag": "alerts"}
        connection = {"conn_type": "apprise", "extra": {"config": config}}
        monkeypatch.setenv("AIRFLOW_CONN_NIGHT", json.dumps(connection))
        monkeypatch.setenv("RANKLOOP_MONGO_URI", mongo)
        monkeypatch.setenv("RANKLOOP_MONITORING__MODE", "on")
        monkeypatch.setenv("RANKLOOP_MONITORING__APPRISE", "night")
        load_settings.cache_clear()
        yield server
        load_settings.cache_clear()
        server.shutdown()


def tasks(dag_bag: "DagBag") -> dict[str, Callable[..., Any]]:
    """What the tasks of drift_checks do, by name."""
    return {task.task_id: getattr(task, "python_callable", None) for task in dag_bag.dags["drift_checks"].tasks}


def kept_alerts() -> list[Alert]:
    """The open ones."""
    with connect(load_settings().mongo) as client:
        return list_alerts(client)


ENTRIES = {
    "measure_drift": ("measure.drift", "measure_drift"),
    "report": ("report.drift_report", "make_report"),
    "measure_quality": ("measure.quality", "measure_quality"),
    "measure_performance": ("measure.performance", "measure_performance"),
    "measure_estimates": ("measure.estimates", "measure_estimates"),
    "measure_concept": ("measure.concept", "measure_concept"),
    "judge": ("policy.judge", "judge_market_day"),
    "explain": ("act.incidents", "update_incidents"),
    "act": ("act.actions", "choose_action"),
    "why_retrain": ("act.actions", "retraining_request"),
    "fall_back": ("act.actions", "apply_fallback"),
}


@pytest.mark.parametrize("task", ENTRIES)
def test_a_task_opens_one_context_and_hands_it_on(
    task: str, dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch
) -> None:
    module, entry = ENTRIES[task]
    opened, given, init = [], [], Context.__init__

    def counting(context: Context, *arguments: Any) -> None:  # noqa: ANN401  (whatever a context is made of)
        opened.append(context)
        init(context, *arguments)

    def answer(context: Context, day: date) -> Any:  # noqa: ANN401  (what each entry answers)
        given.append((context, day))
        return NOTHING if task == "act" else SimpleNamespace(summary=dict)

    monkeypatch.setattr(Context, "__init__", counting)
    monkeypatch.setattr(import_module(f"rankloop.monitoring.{module}"), entry, answer)
    dag_bag.dags["drift_checks"].get_task(task).python_callable(dag_run=RUN, params={})
    [[context_given, _]] = given
    assert opened == [context_given]


@pytest.mark.stack
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # what Apprise encrypts with imports it
def test_what_did_not_arrive_is_sent_again_with_what_was_done_and_then_no_more(
    dag_bag: "DagBag", channel: Channel
) -> None:
    run, task = SimpleNamespace(partition_key=DRIFTED.isoformat(), conf={}), tasks(dag_bag)
    with connect(load_settings().mongo) as client:
        record_verdict(client, verdict([*psi(DRIFTED, product_price=0.6), *psi(before(1), product_price=0.6)]))
    task["explain"](dag_run=run, params={})
    assert task["act"](dag_run=run, params={}) == ["why_retrain"]
    [incident] = kept_alerts()

    with pytest.raises(
        NotificationError, match=rf"1 of 1 alerts by the Airflow connection night: '{incident.name}'.*clear"
    ):
        task["tell"]()
    assert [alert.told_at for alert in kept_alerts()] == [None]

    assert task["tell"]() == [incident.name]
    assert kept_alerts()[0].told_at
    refused, taken = channel.sent
    assert refused == taken
    assert taken["title"] == f"Rankloop: {incident.name}"
    for part in ("# The inputs have moved", "since 2026-11-19", "## What to do", "docs/runbook.md#drift_checks"):
        assert part in taken["message"]
    assert f"- {DRIFTED}: a training on the newest days was begun by itself" in taken["message"]

    assert task["tell"]() == []
    assert len(channel.sent) == 2


@pytest.mark.stack
@pytest.mark.parametrize("connection", [None, {"conn_type": "apprise"}])
def test_a_connection_that_is_missing_or_no_good_is_named(
    connection: object, dag_bag: "DagBag", channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection is None:
        monkeypatch.delenv("AIRFLOW_CONN_NIGHT")
    else:
        monkeypatch.setenv("AIRFLOW_CONN_NIGHT", json.dumps(connection))
    with pytest.raises(RankloopError, match=r"cannot be notified by the Airflow connection night: .* clear `tell`"):
        tasks(dag_bag)["tell"]()
    assert not channel.sent
