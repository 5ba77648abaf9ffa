"""A model: a folder of JSON and native parts, that scores rows by the names of their columns."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rankloop.ranking.fitting import fit_model, learn_preprocessing, tune_params
from rankloop.ranking.metrics import mean_metrics
from rankloop.ranking.model import FILE, Model, ModelError, load_model
from rankloop.ranking.preprocessing import PreprocessingError
from rankloop.ranking.training_set import TrainingSet, sizes_of
from rankloop.ranking.tuning import MemoryLog
from rankloop.settings.training import TrainingSettings
from tests.ranking.made import made_set, settings_for


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> TrainingSettings:
    return settings_for(tmp_path_factory.mktemp("home"), max_iter=2).training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    return made_set(settings_for(tmp_path_factory.mktemp("home")), lists=60)


@pytest.fixture(scope="module")
def model(training: TrainingSettings, data: TrainingSet) -> Model:
    preprocessing = learn_preprocessing(training, data)
    tuned = tune_params(training, data, preprocessing, MemoryLog())
    return fit_model(training, data, preprocessing, tuned.params)


def rows_of(data: TrainingSet, name: str) -> pa.Table:
    return pa.Table.from_batches([batch for _, batch in data.batches(name)])


def test_it_ranks_better_than_the_shop(model: Model, data: TrainingSet) -> None:
    rows = pa.concat_tables([rows_of(data, name) for name in ("test_0", "test_1")])
    label, sizes = rows["label"].to_numpy(), sizes_of(rows["request_id"].combine_chunks())
    ours, base = (
        mean_metrics(score, label, sizes)["ndcg@5"] for score in (model.score(rows), rows["base_score"].to_numpy())
    )
    assert ours > base + 0.1
    assert next(iter(model.importance())) == "category4_share"


def test_it_comes_back_from_its_folder_with_nothing_unpickled(
    model: Model, data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:  # noqa: ANN401  (whatever pickle takes)
        raise AssertionError("a model was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    model.save(tmp_path)
    rows = rows_of(data, "test_0")
    again = load_model(tmp_path)
    assert np.array_equal(again.score(rows), model.score(rows))
    assert (again.features, again.options) == (model.features, model.options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "preprocessing.json", "ranker.ubj"]


def test_columns_are_found_by_name_whatever_their_order_and_type(model: Model, data: TrainingSet) -> None:
    rows = rows_of(data, "test_0")
    wide = {name: rows[name].cast(pa.float64()) for name in reversed(model.features)}
    assert np.array_equal(model.score(pa.table(wide)), model.score(rows))


def test_a_missing_column_is_refused_by_its_name_even_where_there_are_no_rows(model: Model, data: TrainingSet) -> None:
    rows = rows_of(data, "test_0").drop_columns(["category4_share"]).slice(0, 0)
    with pytest.raises(PreprocessingError, match="category4_share"):
        model.score(rows)


def test_contributions_have_a_column_a_feature_and_one_more(model: Model, data: TrainingSet) -> None:
    rows = rows_of(data, "test_0").slice(0, 5)
    parts = model.explain(rows)
    assert parts.shape == (5, len(model.features) + 1)
    assert parts.sum(axis=1) == pytest.approx(model.score(rows), abs=1e-4)


def test_a_folder_that_holds_no_model_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        load_model(tmp_path)
    model.save(tmp_path)
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ModelError, match="has format 2"):
        load_model(tmp_path)


@pytest.mark.parametrize(("ranker", "metric"), [("xgboost", "ndcg@10"), ("logistic", "recall@30"), ("neural", "map@5")])
def test_only_the_features_of_the_greatest_gain_stay_whatever_is_tuned_by_what(
    data: TrainingSet, training: TrainingSettings, ranker: str, metric: str
) -> None:
    few = training.model_copy(update={"max_features": 1, "ranker": ranker, "tune_metric": metric})
    assert learn_preprocessing(few, data).features == ("category4_share",)


def test_a_search_that_was_done_is_not_fitted_again(
    data: TrainingSet, training: TrainingSettings, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryLog()
    tuned = tune_params(training, data, model.preprocessing, log)
    monkeypatch.setattr("rankloop.ranking.fitting.ranker_kind", None)
    assert tune_params(training, data, model.preprocessing, log) == tuned


@pytest.mark.parametrize("kind", ["neural", "logistic"])
def test_every_ranker_makes_a_model(kind: Any, data: TrainingSet, training: TrainingSettings, tmp_path: Path) -> None:  # noqa: ANN401
    chosen = training.model_copy(update={"ranker": kind, "max_iter": 0})
    preprocessing = learn_preprocessing(chosen, data)
    made = fit_model(chosen, data, preprocessing, tune_params(chosen, data, preprocessing, MemoryLog()).params)
    made.save(tmp_path)
    rows = rows_of(data, "test_0")
    assert np.array_equal(load_model(tmp_path).score(rows), made.score(rows))
