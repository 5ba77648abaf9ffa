"""A training finds its run again, and what is written twice is there once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from rankloop.errors import RankloopError, TransientError
from rankloop.registry.connection import Registry, RegistryError
from rankloop.registry.tracking import EXPERIMENT, TrainingRun, open_training, training_run
from rankloop.settings import Settings
from tests.registry.conftest import AS_OF
from tests.registry.cuts import cut
from tests.running import free_ports

pytestmark = pytest.mark.stack


def runs_of(client: MlflowClient, key: str) -> list[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment
    return client.search_runs([experiment.experiment_id], f"tags.`rankloop.training` = '{key}'")


def test_a_training_opened_again_is_the_same_run(settings: Settings, run: TrainingRun, key: str) -> None:
    assert open_training(Registry(settings.mlflow), key, AS_OF, "weekly").run_id == run.run_id


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_training_killed_while_it_was_begun_has_one_run(
    settings: Settings, key: str, client: MlflowClient, when: Literal["before", "after"]
) -> None:
    with cut(MlflowClient, "create_run", when):
        open_training(Registry(settings.mlflow), key, AS_OF, "weekly")
    again = open_training(Registry(settings.mlflow), key, AS_OF, "weekly")
    assert [found.info.run_id for found in runs_of(client, key)] == [again.run_id]


def test_two_that_begin_a_training_at_once_go_on_with_one_run(
    settings: Settings, key: str, client: MlflowClient
) -> None:
    def after_another(self: MlflowClient, *arguments: Any, **more: Any) -> Run:  # noqa: ANN401  (whatever it takes)
        create(self, *arguments, **more)
        return create(self, *arguments, **more)

    create = MlflowClient.create_run
    with patch.object(MlflowClient, "create_run", after_another):
        opened = open_training(Registry(settings.mlflow), key, AS_OF, "weekly")
    assert [found.info.run_id for found in runs_of(client, key)] == [opened.run_id]


def test_a_training_that_was_stopped_goes_on(settings: Settings, run: TrainingRun, key: str) -> None:
    run.stop("a leak")
    assert run.status == "FAILED"
    assert open_training(Registry(settings.mlflow), key, AS_OF, "weekly").status == "RUNNING"


def test_a_training_that_came_to_its_end_stays_there(settings: Settings, run: TrainingRun, key: str) -> None:
    run.tag(outcome="rejected")
    run.finish()
    run.stop("a leak, in a task that was cleared since")
    assert open_training(Registry(settings.mlflow), key, AS_OF, "weekly").status == "FINISHED"


def test_a_trial_is_told_from_a_training(settings: Settings, run: TrainingRun, client: MlflowClient) -> None:
    trial = client.create_run(run.experiment_id, tags={"mlflow.parentRunId": run.run_id})
    with pytest.raises(RegistryError, match=f"is no training: it is a trial of the training {run.run_id}"):
        training_run(Registry(settings.mlflow), trial.info.run_id)


def test_a_run_of_somebody_else_is_told_from_a_training(
    settings: Settings, run: TrainingRun, client: MlflowClient
) -> None:
    other = client.create_run(run.experiment_id)
    with pytest.raises(RegistryError, match="is no training: look in the experiment continuous_training"):
        training_run(Registry(settings.mlflow), other.info.run_id)


def test_a_training_cannot_become_one_of_another_day(settings: Settings, run: TrainingRun, key: str) -> None:
    with pytest.raises(RegistryError, match=f"{run.run_id}, as of 2026-11-16, and cannot become one as of 2026-11-17"):
        open_training(Registry(settings.mlflow), key, date(2026, 11, 17), "weekly")


def test_a_training_says_why_it_was_begun(run: TrainingRun) -> None:
    assert run.tags["rankloop.reason"] == "weekly"


def test_a_long_reason_is_kept_whole_and_the_name_of_the_run_no_longer_than_any_database_takes(
    settings: Settings, key: str, client: MlflowClient
) -> None:
    run = open_training(Registry(settings.mlflow), f"{key} at length", AS_OF, "drift of " + "a feature, " * 50)
    assert len(client.get_run(run.run_id).info.run_name) == 250
    assert run.tags["rankloop.reason"] == "drift of " + "a feature, " * 50


def test_a_later_task_finds_the_run_by_its_id(settings: Settings, run: TrainingRun) -> None:
    run.put_json("plan.json", {"days": 20})
    assert training_run(Registry(settings.mlflow), run.run_id).get_json("plan.json") == {"days": 20}


def test_a_run_that_is_not_there_is_named(settings: Settings) -> None:
    with pytest.raises(RegistryError, match="looking for run 00000000000000000000000000000000"):
        training_run(Registry(settings.mlflow), "0" * 32)


def test_json_written_again_replaces_the_former(run: TrainingRun) -> None:
    run.put_json("gate/rules.json", {"passed": False})
    run.put_json("gate/rules.json", {"passed": True})
    assert run.get_json("gate/rules.json") == {"passed": True}


def test_the_same_value_is_the_same_text_whatever_the_order_of_its_keys(run: TrainingRun) -> None:
    @dataclass(frozen=True)
    class Window:
        until: date
        since: date

    run.put_json("a.json", Window(date(2026, 11, 15), date(2026, 10, 27)))
    run.put_json("b.json", {"since": "2026-10-27", "until": "2026-11-15"})
    assert run.get_text("a.json") == run.get_text("b.json")


def test_json_that_no_reader_takes_is_refused_by_its_path(run: TrainingRun) -> None:
    with pytest.raises(RegistryError, match=r"table\.json: the value at rows\[1\]\.map is no finite number"):
        run.put_json("table.json", {"rows": [{"map": 0.1}, {"map": float("nan")}]})


def test_a_folder_written_again_keeps_nothing_of_the_former(run: TrainingRun, tmp_path: Path) -> None:
    for name in ("plots/a.svg", "plots/old.svg", "report.md"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    run.put_folder("report", tmp_path / "out")
    (tmp_path / "out/plots/old.svg").unlink()
    run.put_folder("report", tmp_path / "out")
    got = run.get_folder("report", tmp_path / "got")
    files = {path.relative_to(got).as_posix(): path.read_text() for path in got.rglob("*") if path.is_file()}
    assert files == {"plots/a.svg": "plots/a.svg", "report.md": "report.md"}


def test_a_folder_is_not_put_among_other_files(run: TrainingRun, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/file").touch()
    run.put_folder("report", tmp_path / "out")
    with pytest.raises(RegistryError, match="is not empty"):
        run.get_folder("report", tmp_path / "out")


def test_an_empty_folder_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="holds no file to keep as report"):
        run.put_folder("report", tmp_path)


def test_a_file_is_kept_under_the_name_given(run: TrainingRun, tmp_path: Path) -> None:
    (tmp_path / "part-0.parquet").write_bytes(b"\x00rows")
    run.put_file("scored/test_3.parquet", tmp_path / "part-0.parquet")
    assert run.get_file("scored/test_3.parquet", tmp_path / "new/got.parquet").read_bytes() == b"\x00rows"


def test_an_artifact_that_was_never_written_is_named_with_the_way_out(run: TrainingRun) -> None:
    with pytest.raises(RegistryError, match=rf"run {run.run_id} at .* has no artifact plan\.json\. .* clear that task"):
        run.get_json("plan.json")


def test_an_artifact_cannot_leave_its_run(run: TrainingRun) -> None:
    with pytest.raises(RegistryError, match="outside of its run"):
        run.put_json("../plan.json", {})


def test_a_table_is_one_that_mlflow_shows(
    run: TrainingRun, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", run.uri)  # MLflow itself reads tables from there alone
    run.put_table("evaluation.json", {"set": ["train", "valid"], "ndcg@5": [0.5, 0.4]})
    run.put_table("evaluation.json", {"set": ["train", "valid"], "ndcg@5": [0.5, 0.4]})
    assert run.tags["mlflow.loggedArtifacts"] == '[{"path": "evaluation.json", "type": "table"}]'
    shown = client.load_table(run.experiment_id, artifact_file="evaluation.json", run_ids=[run.run_id])
    assert shown.to_dict("list") == {"set": ["train", "valid"], "ndcg@5": [0.5, 0.4]}


def test_parameters_may_be_logged_again(run: TrainingRun) -> None:
    for _ in range(2):
        run.log_params({"seed": 7, "xgboost": {"max_depth": 5, "layers": (64, 32)}, "debias": "none"})
    expected = {"seed": "7", "xgboost.max_depth": "5", "xgboost.layers": "[64, 32]", "debias": "none"}
    assert run.params == expected


def test_more_parameters_than_mlflow_takes_at_once_are_logged(run: TrainingRun) -> None:
    run.log_params({f"feature_{number}": number for number in range(250)})
    assert len(run.params) == 250


def test_a_parameter_that_changed_within_a_training_is_refused(run: TrainingRun) -> None:
    run.log_params({"seed": 7})
    with pytest.raises(RegistryError, match="begun with seed = 7, and now it is 8"):
        run.log_params({"seed": 8})


def test_a_parameter_that_mlflow_would_cut_off_is_refused(run: TrainingRun) -> None:
    with pytest.raises(RegistryError, match="features has 6001 characters"):
        run.log_params({"features": "x" * 6001})


def test_figures_logged_again_leave_one_point(run: TrainingRun, client: MlflowClient) -> None:
    for _ in range(2):
        run.log_metrics({"test_3.ndcg@10": 0.5, "test_3.map@10": None, "test_3.recall@10": float("nan")})
    assert run.metrics == {"test_3.ndcg_at_10": 0.5}
    assert len(client.get_metric_history(run.run_id, "test_3.ndcg_at_10")) == 1


def test_a_figure_that_fell_is_the_new_one(run: TrainingRun) -> None:
    run.log_metrics({"ndcg@10": 0.5})
    run.log_metrics({"ndcg@10": 0.4})
    assert run.metrics == {"ndcg_at_10": 0.4}


def test_a_curve_logged_again_has_each_point_once(run: TrainingRun, client: MlflowClient) -> None:
    for _ in range(2):
        run.log_curve("valid.ndcg@10", [0.3, 0.4, 0.45])
    points = client.get_metric_history(run.run_id, "valid.ndcg_at_10")
    assert [(point.step, point.value) for point in points] == [(0, 0.3), (1, 0.4), (2, 0.45)]


OPERATIONS: dict[str, Callable[[TrainingRun], object]] = {
    "writing": lambda run: run.put_json("plan.json", {}),
    "reading": lambda run: run.get_json("plan.json"),
    "logging": lambda run: run.log_params({"seed": 7}),
    "tagging": lambda run: run.tag(digest="00"),
    "ending": lambda run: run.finish(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_mlflow_that_went_away_is_worth_another_try(
    run: TrainingRun, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    nobody = f"http://127.0.0.1:{free_ports().mlflow}"
    gone = TrainingRun(MlflowClient(nobody, nobody), nobody, run.client.get_run(run.run_id))
    with pytest.raises(TransientError, match=f"MLflow at {nobody} does not answer"):
        OPERATIONS[operation](gone)


def test_an_mlflow_that_is_not_there_is_named_with_the_way_out() -> None:
    nobody = f"http://127.0.0.1:{free_ports().mlflow}"
    with pytest.raises(TransientError, match=f"MLflow at {nobody} does not answer.*make start.*RANKLOOP_MLFLOW_URI"):
        open_training(Registry(nobody), "key", AS_OF, "weekly")


def test_what_mlflow_refuses_is_not_worth_another_try(run: TrainingRun) -> None:
    with pytest.raises(RankloopError) as refused:
        run.log_params({"what?": 1})
    assert not isinstance(refused.value, TransientError)
