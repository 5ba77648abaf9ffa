"""What holds for every DAG: it says whose it is, what it means, and what may be cleared."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).parents[2]
BESIDE = {"approval", "measuring", "orchestration"}
DAG_FILES = sorted(path for path in (ROOT / "dags").glob("*.py") if path.stem not in BESIDE)
HEAVY = ("numpy", "pandas", "pyarrow", "pymongo", "mlflow", "xgboost", "sklearn", "evidently", "duckdb", "ibis")


def test_every_file_holds_a_dag_of_its_name(dag_bag: "DagBag") -> None:
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == [path.stem for path in DAG_FILES]


@pytest.mark.parametrize("name", [path.stem for path in DAG_FILES])
class TestEveryDag:
    """One reason to fail each."""

    def test_has_an_owner(self, name: str, dag_bag: "DagBag") -> None:
        assert {task.owner for task in dag_bag.dags[name].tasks} == {"data platform"}

    def test_has_tags(self, name: str, dag_bag: "DagBag") -> None:
        assert dag_bag.dags[name].tags

    def test_says_what_breaks_and_what_is_safe_to_clear(self, name: str, dag_bag: "DagBag") -> None:
        doc = dag_bag.dags[name].doc_md
        for needed in ("Owner:", "If this fails:", "Safe to clear:"):
            assert needed in doc

    def test_has_its_entry_in_the_runbook(self, name: str, dag_bag: "DagBag") -> None:
        assert f"docs/runbook.md#{name}" in dag_bag.dags[name].doc_md
        headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
        assert name in [heading.strip("` ") for heading in headings]

    def test_retries_and_has_a_deadline(self, name: str, dag_bag: "DagBag") -> None:
        dag = dag_bag.dags[name]
        assert dag.dagrun_timeout
        assert all(task.retries for task in dag.tasks)


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_wires_and_no_more(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= 150
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    inner = [node for node in functions if not any(isinstance(child, ast.FunctionDef) for child in node.body)]
    assert all(len(node.body) <= 6 for node in inner)


def test_reading_the_folder_imports_nothing_heavy() -> None:
    code = (
        "import sys; import airflow.sdk; before = set(sys.modules)\n"
        f"sys.path.insert(0, {str(ROOT / 'dags')!r})\n"
        f"import {', '.join(path.stem for path in DAG_FILES)}\n"
        f"print(sorted(name for name in set(sys.modules) - before if name in {HEAVY!r}))"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"


def test_nothing_is_decided_before_the_ml_lead_is_asked(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["model_promotion"]
    assert dag.get_task("decide").upstream_task_ids == {"ask_ml_lead"}
    assert dag.get_task("ask_ml_lead").upstream_task_ids == {"write_request"}


def test_what_buyers_see_follows_a_rollback_and_never_comes_before_it(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["model_rollback"]
    order = ["roll_back", "show_again", "newest_day", "trigger_scoring"]
    assert [dag.get_task(after).upstream_task_ids for after in order[1:]] == [{before} for before in order[:-1]]


def test_rankings_are_shown_only_after_every_group_and_the_check(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["batch_scoring"]
    assert dag.get_task("check").upstream_task_ids >= {"rank"}
    assert dag.get_task("publish").upstream_task_ids >= {"check"}
    assert {"publish"} <= dag.get_task("archive").upstream_task_ids
    assert dag.get_task("old_batches").upstream_task_ids == {"publish"}


def test_no_task_of_lake_maintenance_waits_for_another(dag_bag: "DagBag") -> None:
    tasks = dag_bag.dags["lake_maintenance"].tasks
    assert {task.task_id: task.upstream_task_ids for task in tasks} == {
        name: set() for name in ("compact", "vacuum", "old_batches", "old_reports")
    }


def test_every_shard_of_the_buyers_is_ranked(dag_bag: "DagBag") -> None:
    from rankloop.candidates.pool import BUYER_SHARDS  # noqa: PLC0415  (heavy, and no other test needs it)

    tasks = dag_bag.dags["batch_scoring"].get_task("rank").op_kwargs_expand_input.value["shards"]
    assert sorted(shard for shards in tasks for shard in shards) == list(range(BUYER_SHARDS))
