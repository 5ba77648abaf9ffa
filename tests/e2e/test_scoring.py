"""Rankings written by the real scheduler, and what on-call does to the run."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pymongo import MongoClient

from rankloop.state.rankings import COLLECTION_PREFIX
from rankloop_demo.stack.airflow_api import signed_in, switch_on
from tests.e2e.clearing import Run, kill_tasks
from tests.e2e.conftest import let_nothing_follow
from tests.running import RunningStack, champion_now, wait_until

pytestmark = pytest.mark.stack
DAG = "batch_scoring"


@pytest.fixture(scope="module")
def run(stack: RunningStack, demo: str) -> Iterator[Run]:
    """The run whose rankings are live: the champion's, whoever became it in other tests."""
    assert demo
    rank_as_last_asked(stack)
    api, batch = signed_in(stack.settings, "oncall"), pointer(stack)["batch"]
    runs = [
        Run(api, DAG, found["dag_run_id"]) for found in api.ask("GET", f"/dags/{DAG}/dagRuns?limit=100")["dag_runs"]
    ]
    yield next(run for run in runs if planned(run) == batch)
    let_nothing_follow(stack.settings)


def rank_as_last_asked(stack: RunningStack) -> None:
    """Of the runs that promotions asked for meanwhile, let the last one run."""
    admin, champion = signed_in(stack.settings, "admin"), champion_now(stack.settings)
    assert champion
    waiting = admin.ask("GET", f"/dags/{DAG}/dagRuns?state=queued&order_by=run_after&limit=100")["dag_runs"]
    for found in waiting[:-1]:
        admin.ask("DELETE", f"/dags/{DAG}/dagRuns/{quote(found['dag_run_id'])}")
    switch_on(stack.settings, DAG)
    wait_until(lambda: pointer(stack)["policy"] == f"version {champion.number}", "its rankings", within_s=300)


def planned(run: Run) -> str | None:
    """The batch that a run planned."""
    if run.states("plan") != {"success"}:
        return None
    found = run.airflow.ask("GET", f"{run.path}/taskInstances/plan/xcomEntries/return_value")["value"]
    return str(found)


def pointer(stack: RunningStack) -> dict[str, Any]:
    with MongoClient[dict[str, Any]](stack.settings.mongo) as client:
        [found] = client["rankloop"]["serving_state"].find()
        return found


def content(stack: RunningStack) -> list[dict[str, Any]]:
    with MongoClient[dict[str, Any]](stack.settings.mongo) as client:
        return list(client["rankloop"][COLLECTION_PREFIX + pointer(stack)["batch"]].find().sort("_id"))


def test_groups_killed_and_cleared_while_they_are_shown_leave_what_was_there(stack: RunningStack, run: Run) -> None:
    before, shown = content(stack), pointer(stack)
    assert len(before) > 100
    run.clear_at_rest("rank")
    wait_until(lambda: kill_tasks(stack), "a group to be killed", within_s=60)
    run.succeed("rank")
    assert (content(stack), pointer(stack)) == (before, shown)


def test_the_storefront_serves_what_is_live(stack: RunningStack, run: Run) -> None:
    assert run
    address, champion = f"http://127.0.0.1:{stack.settings.ports.serving}", champion_now(stack.settings)
    assert champion
    wait_until(lambda: httpx.get(f"{address}/health").status_code == 200, "the serving app to be ready", within_s=120)
    ranking = next(found for found in content(stack) if found["policy"] != "base")
    answer = httpx.get(f"{address}/v1/recommendations/{ranking['_id']}?k=5").json()
    assert (answer["batch"], answer["policy"]) == (pointer(stack)["batch"], f"version {champion.number}")
    assert [product["product_id"] for product in answer["products"]] == ranking["products"][:5]
    offers = [{"product_id": product, "base_score": 0.5} for product in ranking["products"][:20]]
    asked = {"account_id": ranking["_id"], "surface": "home", "products": offers}
    assert httpx.post(f"{address}/v1/rerank", json=asked, timeout=30).json()["version"] == champion.number
