"""A task opens the lake, MongoDB, the engine and MLflow at most once each, and only at its edge.

What may open a connection is one class, `rankloop.context.Context`. The first tests read the source for anything else
that does. The next two put doubles at the edge: a context opens each connection once however often it is used, and each
task of every DAG opens one context. The last runs the tasks of a day on a small shop and counts. The tests of scoring
and monitoring count too, where they have a champion.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn
from unittest.mock import MagicMock

import pytest
from tests.events.shop import DAY, NEXT_DAY, Shop
from tests.openings import count_openings

from rankloop.context import open_context
from rankloop.contracts.sources import SOURCES
from rankloop.mongo import connect
from rankloop.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "include" / "rankloop"
OPENERS = {
    "rankloop.lake.tables.Lake",
    "rankloop.mongo.connect",
    "rankloop.mongo.lazy_client",
    "rankloop.engine.opening.open_engine",
    "rankloop.registry.connection.Registry",
}
EDGES = {
    "context.py",
    "monitoring/act/late_day.py",  # a callback of Airflow, no task
    "serving/app.py",  # the app, whose connections last as long as it runs
}


def imported_names(tree: ast.AST) -> dict[str, str]:
    """By the name that a module uses, what it imports under it."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {entry.asname or entry.name: f"{node.module}.{entry.name}" for node in imports for entry in node.names}


def calls_of(path: Path, names: set[str]) -> list[str]:
    """The calls in a file of anything with one of these names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = imported_names(tree)
    called = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [name for name in called if imported.get(name) in names]


def modules_that_call(names: set[str]) -> set[str]:
    """The modules of the library, by their path in it."""
    return {str(path.relative_to(LIBRARY)) for path in sorted(LIBRARY.rglob("*.py")) if calls_of(path, names)}


def test_connections_are_opened_at_the_edges_alone() -> None:
    assert modules_that_call(OPENERS) == EDGES


def test_only_commands_and_the_context_itself_open_a_context() -> None:
    opening = modules_that_call({"rankloop.context.open_context"})
    assert {path for path in opening if not path.startswith("cli/")} <= {"serving/__main__.py"}


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_a_task_opens_one_context_and_nothing_else(path: Path) -> None:
    assert not calls_of(path, OPENERS)
    for function in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)):
        names = [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]
        assert names.count("open_context") <= 1, function.name


# A context, and the tasks that open one, with doubles

CONNECTIONS = ["lake", "state", "source", "ingestion", "feature_store", "engine", "registry"]
WITHOUT_CONTEXT = {"features_backfill.publish", "marketplace_day.live"}
"""Tasks that open nothing of the library's: one only announces days, the other simulates the shop."""


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> dict[str, MagicMock]:
    """Stand-ins for all that a context may open, which fail when they are called a second time."""
    made = {}
    for opener in sorted(OPENERS):
        made[opener] = MagicMock(side_effect=[MagicMock()])
        monkeypatch.setattr(opener, made[opener])
    return made


def test_a_context_opens_each_connection_once_however_often_it_is_used(
    doubles: dict[str, MagicMock], tmp_path: Path
) -> None:
    with open_context(Settings(home=tmp_path)) as context:
        assert not any(double.called for double in doubles.values())
        for name in [*CONNECTIONS, *CONNECTIONS]:
            assert getattr(context, name)
    assert {name for name, double in doubles.items() if double.called} == OPENERS - {"rankloop.mongo.lazy_client"}


class ContextOpenedError(Exception):
    """Raised in place of a first context, so that the task needs no server."""


def contexts_opened_by(task: Any) -> int:  # noqa: ANN401  (an operator of Airflow)
    """Return how many contexts a task asks for, each of which is refused."""
    function = task.python_callable
    opened: list[object] = []

    def refuse(*arguments: object) -> NoReturn:
        opened.append(arguments)
        raise ContextOpenedError

    run = SimpleNamespace(partition_key=str(DAY), conf={}, run_id="a_run", dag_id="a_dag", triggering_user_name="")
    if task.dag.dag_id == "continuous_training":
        run.partition_key = "2026-11-09 (W46)"
    params = {"first": str(DAY), "last": str(DAY), "accept": [], "at_once": False}
    params |= {"version": 1, "reason": "a test", "dry_run": False}
    given = defaultdict(MagicMock, dag_run=run, params=params, part=1, shards=[0], decision="promoted", shown="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rankloop.context.open_context", refuse)
        if "open_context" in function.__globals__:  # imported at the top of the DAG's file
            patch.setitem(function.__globals__, "open_context", refuse)
        if "approval_of" in function.__globals__:  # asks Airflow's own server
            patch.setitem(function.__globals__, "approval_of", lambda _: (None, None))
        with pytest.raises(ContextOpenedError):
            function(**{name: given[name] for name in signature(function).parameters})
    return len(opened)


def test_each_task_of_every_dag_opens_one_context(dag_bag: "DagBag") -> None:
    tasks = {
        f"{dag.dag_id}.{task.task_id}": task
        for dag in dag_bag.dags.values()
        for task in dag.tasks
        if hasattr(task, "python_callable")
    }
    assert tasks.keys() >= WITHOUT_CONTEXT
    opened = {name: contexts_opened_by(tasks[name]) for name in sorted(tasks.keys() - WITHOUT_CONTEXT)}
    assert opened == dict.fromkeys(opened, 1)
    assert {name.partition(".")[0] for name in opened} == dag_bag.dags.keys() - {"marketplace_day"}


# The tasks, run


@pytest.fixture(scope="module")
def opened() -> Iterator[Counter[str]]:
    """How often each kind of connection was opened, wherever in the library."""
    with pytest.MonkeyPatch.context() as patch:
        yield count_openings(patch)


class Worker:
    """Runs tasks one by one, as a worker does, and notes what each opened."""

    def __init__(self, bag: "DagBag", opened: Counter[str]) -> None:
        self.bag, self.opened = bag, opened
        self.most: dict[str, dict[str, int]] = {}

    def run(self, dag: str, task: str, *arguments: object, day: date = DAY, **params: object) -> Any:  # noqa: ANN401
        """Run a task, and return what it returns, or None if it skips."""
        from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped  # noqa: PLC0415

        function = self.bag.dags[dag].get_task(task).python_callable
        run = SimpleNamespace(
            partition_key=str(day), conf={}, run_id=f"{dag}-{day}", dag_id=dag, triggering_user_name=""
        )
        given = {"dag_run": run, "params": params, "outlet_events": defaultdict(SimpleNamespace)}
        self.opened.clear()
        try:
            return function(
                *arguments, **{name: given[name] for name in signature(function).parameters if name in given}
            )
        except (AirflowSkipException, DownstreamTasksSkipped):
            return None
        finally:
            self.most[f"{dag}.{task}"] = dict(self.opened)

    def opened_twice(self) -> dict[str, dict[str, int]]:
        """The tasks that opened a connection more than once."""
        return {task: counts for task, counts in self.most.items() if max(counts.values(), default=0) > 1}


@pytest.fixture
def worker(dag_bag: "DagBag", opened: Counter[str]) -> Iterator[Worker]:
    """A worker with the settings of its environment."""
    load_settings.cache_clear()
    yield Worker(dag_bag, opened)
    load_settings.cache_clear()


@pytest.mark.stack
def test_each_task_of_a_day_opens_each_connection_once(
    worker: Worker, mongo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}HOME", str(tmp_path))
    monkeypatch.setenv(f"{PREFIX}MONGO_URI", mongo)
    with connect(mongo) as client:
        Shop(client, tmp_path)
    worker.run("daily_features", "day_is_over", at_once=False)
    for source in SOURCES:
        worker.run("daily_features", "extract", source)
    worker.run("daily_features", "clean", accept=[])
    worker.run("daily_features", "aggregate")
    assert worker.run("daily_features", "earlier_days") is True
    worker.run("daily_features", "build")
    worker.run("daily_features", "publish")
    worker.run("daily_features", "look_back", day=NEXT_DAY)
    worker.run("daily_features", "whole_day", accept=[])
    worker.run("features_backfill", "build", 0, first=str(DAY), last=str(DAY), accept=[])
    worker.run("features_backfill", "build", 1, first=str(DAY), last=str(DAY), accept=[])
    assert worker.opened_twice() == {}
    assert worker.most["daily_features.build"] == {"lake": 1, "engine": 1}
    assert worker.most["daily_features.day_is_over"] == {}
    assert worker.most["features_backfill.build"] == {"lake": 1, "client": 1, "engine": 1}
