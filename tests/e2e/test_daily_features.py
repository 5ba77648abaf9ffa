"""A day's features by the real scheduler: published on the Assets page, cleared, killed, and always the same."""

from datetime import date, timedelta

import pytest

from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop_demo.stack.airflow_api import AirflowApi, signed_in
from tests.e2e.clearing import Run
from tests.e2e.conftest import HISTORY, LOOP
from tests.running import RunningStack, wait_until

pytestmark = pytest.mark.stack

DAG, BACKFILL = "/dags/daily_features", "features_backfill"
STEPS = ["day_is_over", "extract", "clean", "aggregate", "earlier_days", "build", "publish", "look_back"]


@pytest.fixture(scope="module")
def airflow(stack: RunningStack, demo: str) -> AirflowApi:
    """Airflow, as on-call sees it, once the demo has built every day."""
    assert f"features of {HISTORY} days, {HISTORY} built now" in demo
    return signed_in(stack.settings, "oncall")


@pytest.fixture(scope="module")
def lake(stack: RunningStack) -> Lake:
    return Lake(stack.settings.lake_root)


@pytest.fixture(scope="module")
def day(airflow: AirflowApi, lake: Lake) -> date:
    """The newest day, which looks back on all the others."""
    assert airflow
    return max(lake.days("features/buyer"))


def digests(lake: Lake, day: date) -> dict[str, str]:
    """The content of every table on a day; facts say when they were made, so they differ."""
    return {table: lake.digest(table, day) for table in lake.tables() if not table.startswith("facts/")}


def run_of(airflow: AirflowApi, day: date) -> Run:
    runs = airflow.ask("GET", f"{DAG}/dagRuns?limit=100")["dag_runs"]
    found = next(run["dag_run_id"] for run in runs if run["partition_key"] == day.isoformat())
    return Run(airflow, "daily_features", found)


@pytest.fixture(scope="module")
def run(airflow: AirflowApi, day: date) -> Run:
    """The run of that day, which was built in steps."""
    return run_of(airflow, day)


@pytest.fixture(scope="module")
def past(day: date) -> date:
    """A day of history, all of whose events had arrived when it was built."""
    return day - timedelta(days=LOOP + 1)


@pytest.fixture(scope="module")
def backfill(airflow: AirflowApi) -> Run:
    """The run that built history."""
    [run] = airflow.ask("GET", f"/dags/{BACKFILL}/dagRuns")["dag_runs"]
    return Run(airflow, BACKFILL, run["dag_run_id"])


@pytest.fixture(scope="module")
def past_run(airflow: AirflowApi, past: date) -> Run:
    """A run that builds that day at once."""
    asked = {"logical_date": None, "partition_key": past.isoformat(), "conf": {"at_once": True}}
    run = Run(airflow, "daily_features", airflow.ask("POST", f"{DAG}/dagRuns", asked)["dag_run_id"])
    wait_until(lambda: airflow.ask("GET", run.path)["state"] == "success", f"success of {run.path}", within_s=300)
    return run


def test_the_assets_page_has_one_event_a_day_that_tells_its_story(airflow: AirflowApi, lake: Lake) -> None:
    days = sorted(day.isoformat() for day in lake.days("features/buyer"))
    assets = {asset["name"]: asset for asset in airflow.ask("GET", "/assets")["assets"]}
    for asset in (assets["events"], assets["features"]):
        events = airflow.ask("GET", f"/assets/events?asset_id={asset['id']}")["asset_events"]
        assert sorted(event["partition_key"] for event in events) == days
        facts = {"rows", "version", "digest"} | ({"quarantined"} if asset["name"] == "events" else set())
        for event in events:
            if event["partition_key"] in days[:HISTORY]:
                assert event["extra"] == {"backfill": f"{days[0]} to {days[HISTORY - 1]}"}
            else:
                assert event["extra"]
                assert all(facts <= set(of_table) for of_table in event["extra"].values())
    assert len(days) == HISTORY + LOOP


def test_a_day_that_is_not_there_in_time_is_an_alert(stack: RunningStack, lake: Lake, demo: str) -> None:
    assert demo
    client = connect(stack.settings.mongo)
    late = {f"daily_features {day}" for day in lake.days("features/buyer")[HISTORY:]}
    wait_until(lambda: set(client["rankloop"]["alerts"].distinct("subject", {"kind": "late_day"})) >= late, "alerts")
    client.close()


@pytest.mark.parametrize("task", STEPS)
def test_a_task_cleared_leaves_the_same_day(task: str, run: Run, lake: Lake, day: date) -> None:
    before = digests(lake, day)
    run.clear_at_rest(task)
    run.succeed(task)
    assert digests(lake, day) == before


@pytest.mark.parametrize("task", ["extract", "clean", "aggregate", "build"])
def test_a_task_killed_while_it_runs_and_cleared_leaves_the_same_day(
    task: str, stack: RunningStack, run: Run, lake: Lake, day: date
) -> None:
    before = digests(lake, day)
    run.kill(task, stack)
    run.clear(task)
    run.succeed(task)
    assert digests(lake, day) == before


def test_a_day_built_by_a_backfill_at_once_or_in_steps_is_the_same(
    request: pytest.FixtureRequest, lake: Lake, past: date
) -> None:
    before = digests(lake, past)
    past_run: Run = request.getfixturevalue("past_run")
    assert past_run.states("whole_day") == {"success"}
    assert all(past_run.states(task) == {"skipped"} for task in STEPS if task != "day_is_over")
    assert digests(lake, past) == before
    past_run.clear("extract", with_what_follows=True)
    for task in STEPS[1:]:
        past_run.succeed(task)
    assert digests(lake, past) == before


def test_a_day_killed_while_it_is_built_at_once_and_cleared_is_the_same(
    stack: RunningStack, past_run: Run, lake: Lake, past: date
) -> None:
    before = digests(lake, past)
    past_run.kill("whole_day", stack)
    past_run.clear("whole_day")
    past_run.succeed("whole_day")
    assert digests(lake, past) == before


def test_a_backfill_killed_in_the_middle_and_cleared_leaves_the_same_days(
    stack: RunningStack, backfill: Run, lake: Lake, day: date
) -> None:
    # Last of all: events of its last day that arrived since are taken in, and later days look back on it.
    first = day - timedelta(days=HISTORY + LOOP - 1)
    before = digests(lake, first)
    backfill.kill("build", stack)
    backfill.clear("build")
    backfill.succeed("build")
    assert digests(lake, first) == before
