"""The demo on a running stack, and the DAG that keeps the marketplace living, run by the real scheduler."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from rankloop.calendar import start_of
from rankloop.experiment import is_control
from rankloop.mongo import SHOP_DB, Client, connect
from rankloop_demo.simulator.loading import lived_days
from rankloop_demo.stack.airflow_api import AirflowApi, signed_in
from tests.e2e.conftest import HISTORY, LOOP, let_nothing_follow
from tests.running import RunningStack, champion_now, wait_until

pytestmark = pytest.mark.stack

DAG = "/dags/marketplace_day"


@pytest.fixture(scope="module")
def mongo(stack: RunningStack) -> Iterator[Client]:
    client = connect(stack.settings.mongo)
    yield client
    client.close()


@pytest.fixture(scope="module")
def newest(demo: str, mongo: Client) -> date:
    """The newest day that the demo lived."""
    assert demo
    return max(lived_days(mongo))


def events_of(stack: RunningStack, mongo: Client, day: date) -> dict[str, list[Any]]:
    zone = stack.settings.zone
    of_the_day = {"ts": {"$gte": start_of(day, zone), "$lt": start_of(day + timedelta(days=1), zone)}}
    return {name: list(mongo[SHOP_DB][name].find(of_the_day).sort("_id")) for name in ("impressions", "interactions")}


def run_to_its_end(airflow: AirflowApi, run: dict[str, Any]) -> str:
    """The state that a run ends in."""
    path = f"{DAG}/dagRuns/{run['dag_run_id']}"
    ended = {"success", "failed"}
    wait_until(lambda: airflow.ask("GET", path)["state"] in ended, f"an end of {path}", within_s=120)
    return str(airflow.ask("GET", path)["state"])


def test_the_demo_lives_history_and_says_where_to_look(stack: RunningStack, demo: str, mongo: Client) -> None:
    assert "already up" in demo
    assert f"{HISTORY} days lived" in demo
    assert "marketplace_day is on" in demo
    assert f"features of {HISTORY} days, {HISTORY} built now" in demo
    assert stack.airflow in demo
    assert stack.mlflow in demo
    assert f"Storefront   http://127.0.0.1:{stack.settings.ports.serving}" in demo
    assert len(lived_days(mongo)) == HISTORY + LOOP
    assert all(password not in demo for password in stack.facts.new_passwords.values())


def test_the_demo_shows_our_rankings_to_half_of_the_buyers_and_what_they_make_of_them(
    stack: RunningStack, demo: str, mongo: Client, newest: date
) -> None:
    lists = list(mongo[SHOP_DB]["impressions"].find({"surface": "home", "account_id": {"$type": "long"}}))
    control = is_control([entry["account_id"] for entry in lists], stack.settings.experiment.control_share)
    first = start_of(newest - timedelta(days=LOOP - 1), stack.settings.zone)
    shown = {"before": set(), "control": set(), "personalised": set()}
    for entry, stays in zip(lists, control, strict=True):
        when = "before" if entry["_id"].generation_time < first else "control" if stays else "personalised"
        shown[when] |= {entry.get("policy")}
    assert (shown["before"], shown["control"]) == ({"base"}, {"base"})
    champion = f"version {champion_now(stack.settings).number}"
    assert champion in {live["policy"] for live in mongo["rankloop"]["serving_state"].find()}
    assert champion in shown["personalised"]
    assert f"live results of {LOOP - 1} days" in demo
    figures = next(line for line in demo.splitlines() if "CTR@10 %" in line)
    assert figures.count("[") == 3  # control, personalised, the difference: each with its interval


def test_the_demo_again_does_nothing_twice(stack: RunningStack, demo: str, mongo: Client) -> None:
    assert demo
    before = mongo[SHOP_DB]["impressions"].count_documents({})
    answer = stack.rankloop("demo")
    let_nothing_follow(stack.settings)
    assert answer.returncode == 0, answer.stderr
    assert "nothing was missing" in answer.stdout
    assert f"features of {HISTORY} days, 0 built now" in answer.stdout
    assert mongo[SHOP_DB]["impressions"].count_documents({}) == before


def test_the_scheduler_lives_a_partition_and_clearing_it_changes_nothing(
    stack: RunningStack, newest: date, mongo: Client
) -> None:
    airflow, day = signed_in(stack.settings, "admin"), newest + timedelta(days=1)
    run = airflow.ask("POST", f"{DAG}/dagRuns", {"logical_date": None, "partition_key": day.isoformat()})
    assert run_to_its_end(airflow, run) == "success"
    lived = events_of(stack, mongo, day)
    assert all(lived.values())
    mongo["simulator"]["days"].delete_one({"_id": day.isoformat()})  # as if it had been killed before its last write
    cleared = {"dry_run": False, "only_failed": False, "dag_run_id": run["dag_run_id"], "reset_dag_runs": True}
    airflow.ask("POST", f"{DAG}/clearTaskInstances", cleared)
    assert run_to_its_end(airflow, run) == "success"
    assert events_of(stack, mongo, day) == lived
    assert day in lived_days(mongo)


def test_a_day_can_be_asked_for_by_hand(stack: RunningStack, newest: date, mongo: Client) -> None:
    airflow, day = signed_in(stack.settings, "oncall"), newest + timedelta(days=2)
    run = airflow.ask("POST", f"{DAG}/dagRuns", {"logical_date": None, "conf": {"day": day.isoformat()}})
    assert run_to_its_end(airflow, run) == "success"
    assert day in lived_days(mongo)
