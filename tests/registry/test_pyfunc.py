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
import pytest

from rankloop.registry.connection import RegistryError
from rankloop.registry.pyfunc import artifact_of, get_model, model_digest, put_model
from rankloop.registry.tracking import TrainingRun
from tests.registry import tiny_model

pytestmark = pytest.mark.stack

UNPICKLERS = (
    (pickle, "load"),
    (pickle, "loads"),
    (pickle, "Unpickler"),
    (cloudpickle, "load"),
    (cloudpickle, "loads"),
    (joblib, "load"),
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


@pytest.fixture
def kept(run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a model that a run keeps, for MLflow itself."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", run.uri)
    monkeypatch.setitem(sys.modules, "rankloop.ranking.model", tiny_model.module())
    digest = put_model(run, tiny_model.write(tmp_path / "model"), tiny_model.EXAMPLE)
    return f"runs:/{run.run_id}/{artifact_of(digest)}"


@pytest.mark.usefixtures("no_pickle")
def test_a_model_loads_with_nothing_unpickled(kept: str) -> None:
    rows = pd.DataFrame({"price": [2.0], "buyer_clicks": [1.0], "product_ctr": [0.5]})
    assert mlflow.pyfunc.load_model(kept).predict(rows).tolist() == [5.0]


def test_the_watch_sees_what_is_unpickled(no_pickle: None) -> None:  # noqa: ARG001  (it watches)
    with pytest.raises(AssertionError, match="unpickled"):
        pickle._Unpickler(io.BytesIO(pickle.dumps(Path()))).load()  # type: ignore[attr-defined]  # noqa: SLF001


def test_a_model_takes_features_by_name(kept: str) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    rows = pd.DataFrame({"price": [2.0, 4.0], "buyer_clicks": [1.0, 0.0], "product_ctr": [0.5, 0.1]})
    turned = rows[["product_ctr", "price", "buyer_clicks"]]
    assert loaded.predict(turned).tolist() == loaded.predict(rows).tolist()


def test_a_model_scores_the_same_whether_features_come_wide_or_narrow(kept: str) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    wide = pd.DataFrame({"price": [0.1, 0.7], "buyer_clicks": [0.3, 0.9], "product_ctr": [1 / 3, 1e-9]})
    narrow = wide.astype(np.float32)
    assert loaded.predict(wide).tolist() == loaded.predict(narrow).tolist()


def test_an_empty_value_is_for_the_model_to_fill(kept: str) -> None:
    rows = pd.DataFrame({"price": [np.nan], "buyer_clicks": [1.0], "product_ctr": [0.5]})
    assert mlflow.pyfunc.load_model(kept).predict(rows).tolist() == [6.0]


def test_a_missing_feature_is_refused_by_name(kept: str) -> None:
    rows = pd.DataFrame({"price": [2.0], "product_ctr": [0.5]})
    with pytest.raises(Exception, match="buyer_clicks"):
        mlflow.pyfunc.load_model(kept).predict(rows)


def test_a_model_says_what_it_takes_and_gives(kept: str) -> None:
    signature = mlflow.pyfunc.load_model(kept).metadata.signature
    assert signature.inputs.input_names() == list(tiny_model.FEATURES)
    assert [column.name for column in signature.outputs.inputs] == ["pscore"]


def test_a_models_own_example_can_be_scored(kept: str) -> None:
    loaded = mlflow.pyfunc.load_model(kept)
    assert loaded.predict(loaded.input_example).tolist() == pytest.approx([0.5, 7.0])


def test_a_folder_comes_back_as_it_was(run: TrainingRun, tmp_path: Path) -> None:
    digest = put_model(run, tiny_model.write(tmp_path / "model"), tiny_model.EXAMPLE)
    assert model_digest(get_model(run, tmp_path / "back")) == digest


def test_a_model_put_again_leaves_the_same_bytes(run: TrainingRun, tmp_path: Path) -> None:
    folder = tiny_model.write(tmp_path / "model")
    digests = []
    for number in range(2):
        name = artifact_of(put_model(run, folder, tiny_model.EXAMPLE))
        digests.append(model_digest(run.get_folder(name, tmp_path / f"back_{number}")))
    assert digests[0] == digests[1]


def test_a_runs_later_tasks_are_about_the_model_put_last(run: TrainingRun, tmp_path: Path) -> None:
    put_model(run, tiny_model.write(tmp_path / "first"), tiny_model.EXAMPLE)
    last = put_model(run, tiny_model.write(tmp_path / "last", price_weight=0.0), tiny_model.EXAMPLE)
    assert model_digest(get_model(run, tmp_path / "back")) == last


def test_a_model_whose_files_changed_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    digest = put_model(run, tiny_model.write(tmp_path / "model"), tiny_model.EXAMPLE)
    run.put_text(f"{artifact_of(digest)}/data/model/ranker.json", "{}")
    with pytest.raises(RegistryError, match="its files were changed since"):
        get_model(run, tmp_path / "back")


def test_a_run_without_a_model_says_which_task_to_clear(run: TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=f"run {run.run_id} .* has no model yet: clear the task that trains it"):
        get_model(run, tmp_path / "back")


def test_an_example_without_a_feature_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="lack features of the model: price"):
        put_model(run, tiny_model.write(tmp_path / "model"), tiny_model.EXAMPLE.drop(["price"]))
