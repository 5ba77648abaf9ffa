"""A model's folder goes to MLflow and comes back the same, loads there with nothing unpickled, and scores."""

import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import cloudpickle
import joblib
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

from rankloop.ranking.model import load_model
from rankloop.ranking.rankers.registry import RANKERS
from rankloop.registry.artifacts import Artifacts
from rankloop.registry.connection import RegistryError
from rankloop.registry.pyfunc import artifact_of, get_model, model_digest, put_model
from rankloop.registry.tracking import TrainingRun
from tests.registry import small_model
from tests.registry.cuts import cut

pytestmark = pytest.mark.stack

UNPICKLERS = (
    (pickle, "load"),
    (pickle, "loads"),
    (pickle, "Unpickler"),
    (cloudpickle, "load"),
    (cloudpickle, "loads"),
    (joblib, "load"),
)
ROWS = pd.DataFrame(
    {"category4_share": [0.1, np.nan, -0.7], "context_base_score": [1 / 3, 0.0, 2.0], "product_ctr": [0.5, -1.0, 1e-9]}
)
WATCHED: list[str] = []
"""While it holds anything, Python tells of every class that is looked up to unpickle something, by whatever way."""


def _watch(event: str, _: object) -> None:
    if WATCHED and event == "pickle.find_class":
        raise AssertionError("something was unpickled")


sys.addaudithook(_watch)


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever unpickles fails."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("something was unpickled")

    for owner, name in UNPICKLERS:
        monkeypatch.setattr(owner, name, refuse)
    WATCHED.append("now")
    yield
    WATCHED.clear()


@pytest.fixture(params=RANKERS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of ranker."""
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, kind: str) -> Path:
    """A model's folder."""
    return small_model.write(tmp_path / "model", kind)


@pytest.fixture
def kept(run: TrainingRun, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of this model in a run, for MLflow itself."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", run.uri)
    return f"runs:/{run.run_id}/{artifact_of(put_model(run, folder, small_model.EXAMPLE))}"


@pytest.mark.usefixtures("no_pickle")
def test_a_model_loads_and_scores_with_nothing_unpickled(kept: str) -> None:
    assert len(mlflow.pyfunc.load_model(kept).predict(ROWS)) == len(ROWS)


def test_the_watch_sees_what_is_unpickled(no_pickle: None) -> None:  # noqa: ARG001  (it watches)
    with pytest.raises(AssertionError, match="unpickled"):
        pickle._Unpickler(io.BytesIO(pickle.dumps(Path()))).load()  # type: ignore[attr-defined]  # noqa: SLF001


def test_mlflow_scores_as_the_model_does(kept: str, folder: Path) -> None:
    expected = load_model(folder).score(pa.RecordBatch.from_pandas(ROWS.astype(np.float32)))
    assert mlflow.pyfunc.load_model(kept).predict(ROWS).tolist() == expected.tolist()


def test_a_model_takes_features_by_name_and_lets_other_columns_be(kept: str) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    turned = ROWS[["product_ctr", "category4_share", "context_base_score"]].assign(position=1)
    assert loaded.predict(turned).tolist() == loaded.predict(ROWS).tolist()


def test_a_model_scores_the_same_whether_features_come_wide_or_narrow(kept: str) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    assert loaded.predict(ROWS.astype(np.float32)).tolist() == loaded.predict(ROWS).tolist()


def test_a_missing_feature_is_refused_by_name(kept: str) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    with pytest.raises(MlflowException, match="context_base_score"):
        loaded.predict(ROWS.drop(columns="context_base_score"))


def test_a_model_says_what_it_takes_and_gives(kept: str) -> None:
    signature = mlflow.pyfunc.load_model(kept).metadata.signature
    assert signature.inputs.input_names() == list(small_model.FEATURES)
    assert [column.name for column in signature.outputs.inputs] == ["pscore"]


def test_a_models_own_example_can_be_scored(kept: str, folder: Path) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    assert loaded.predict(loaded.input_example).tolist() == load_model(folder).score(small_model.EXAMPLE).tolist()


def test_a_folder_comes_back_as_it_was(run: TrainingRun, folder: Path, tmp_path: Path) -> None:
    digest = put_model(run, folder, small_model.EXAMPLE)
    assert model_digest(get_model(run, tmp_path / "back")) == digest


def test_a_model_put_again_leaves_the_same_bytes(run: TrainingRun, tmp_path: Path) -> None:
    folder = small_model.write(tmp_path / "model")
    digests = []
    for number in range(2):
        name = artifact_of(put_model(run, folder, small_model.EXAMPLE))
        digests.append(model_digest(run.get_folder(name, tmp_path / f"back_{number}")))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("owner", "method"), [(HttpArtifactRepository, "log_artifact"), (Artifacts, "put_folder")])
def test_a_model_counts_only_once_it_is_whole(run: TrainingRun, tmp_path: Path, owner: type, method: str) -> None:
    folder = small_model.write(tmp_path / "model")
    with cut(owner, method, "after"):
        put_model(run, folder, small_model.EXAMPLE)
    with pytest.raises(RegistryError, match="has no model yet"):
        get_model(run, tmp_path / "too_early")
    digest = put_model(run, folder, small_model.EXAMPLE)
    assert model_digest(get_model(run, tmp_path / "back")) == digest


def test_a_runs_later_tasks_are_about_the_model_put_last(run: TrainingRun, tmp_path: Path) -> None:
    put_model(run, small_model.write(tmp_path / "first"), small_model.EXAMPLE)
    last = put_model(run, small_model.write(tmp_path / "last", seed=1), small_model.EXAMPLE)
    assert model_digest(get_model(run, tmp_path / "back")) == last


def test_a_model_whose_files_changed_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    digest = put_model(run, small_model.write(tmp_path / "model"), small_model.EXAMPLE)
    run.put_text(f"{artifact_of(digest)}/data/model/ranker.json", "{}")
    with pytest.raises(RegistryError, match="its files were changed since"):
        get_model(run, tmp_path / "back")


def test_a_run_without_a_model_says_which_task_to_clear(run: TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=f"run {run.run_id} .* has no model yet: clear the task that trains it"):
        get_model(run, tmp_path / "back")


def test_an_example_without_a_feature_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="lack features of the model: category4_share"):
        put_model(run, small_model.write(tmp_path / "model"), small_model.EXAMPLE.drop(["category4_share"]))
