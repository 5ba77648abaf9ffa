"""The settings of training: the reference's shape, and one value changed without writing out the rest."""

from typing import Any

import pytest

from rankloop.settings import Settings, SettingsError, load_settings
from rankloop.settings.training import TrainingSettings


def test_the_defaults_have_the_shape_of_the_references_own_settings() -> None:
    training = TrainingSettings()
    assert training.eval_k_list == (5, 10, 20, 30)
    assert training.eval_metric_list == ("ndcg", "map", "recall", "precision", "ctr")
    assert (training.max_features, training.max_iter) == (400, 9)
    assert training.xgboost.fit_params == {"num_boost_round": 500, "early_stopping_rounds": 30}
    assert training.xgboost.fix_params["objective"] == "rank:pairwise"


def test_one_parameter_is_changed_and_the_others_keep_their_defaults() -> None:
    training = TrainingSettings(xgboost={"fix_params": {"max_depth": 7}, "tune_params": {"gamma": (0.0, 1.0)}})
    assert training.xgboost.fix_params == {**TrainingSettings().xgboost.fix_params, "max_depth": 7}
    assert training.xgboost.tune_params == {"gamma": (0.0, 1.0)}
    assert training.xgboost.fit_params == TrainingSettings().xgboost.fit_params


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ({}, "unbiased"),
        ({"ranker": "neural"}, "none"),
        ({"ranker": "logistic"}, "none"),
        ({"debias": "none"}, "none"),
        ({"ranker": "neural", "debias": "propensity"}, "propensity"),
    ],
)
def test_each_ranker_debiases_as_was_measured_best_unless_told_otherwise(given: dict[str, Any], way: str) -> None:
    assert TrainingSettings(**given).debias_way == way


@pytest.mark.parametrize("metric", ["map@10", "recall@30", "precision@5", "ndcg@1"])
def test_pointwise_rankers_are_tuned_by_any_metric(metric: str) -> None:
    assert TrainingSettings(ranker="logistic", tune_metric=metric).tune_metric == metric


def test_the_sets_take_twenty_days_of_lists() -> None:
    assert TrainingSettings().list_days == 20


@pytest.mark.parametrize(("hours", "days"), [(1, 1), (24, 1), (25, 2)])
def test_labels_are_all_there_after_whole_days(hours: int, days: int) -> None:
    assert TrainingSettings(label_hours=hours).label_days == days


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RANKLOOP_TRAINING__PREPROCESSING__FILL", "mean", "'median', 'min', 'max' or 'zero'"),
        ("RANKLOOP_TRAINING__SEARCH", "bayes", "'grid', 'random' or 'tpe'"),
        ("RANKLOOP_TRAINING__RANKER", "catboost", "there are xgboost, neural, logistic, or the dotted path"),
        ("RANKLOOP_TRAINING__DEBIAS", "maybe", "'auto', 'none', 'unbiased' or 'propensity'"),
        ("RANKLOOP_TRAINING__TUNE_METRIC", "auc", "training.tune_metric"),
        ("RANKLOOP_TRAINING__TUNE_METRIC", "ndcg@0", "training.tune_metric"),
        (
            "RANKLOOP_TRAINING__TUNE_METRIC",
            "recall@30",
            "xgboost cannot be tuned by tune_metric recall@30",
        ),
        ("RANKLOOP_TRAINING__TUNE_METRIC", "map@10", "xgboost cannot be tuned by tune_metric map@10"),
        ("RANKLOOP_TRAINING__EVAL_K_LIST", "[5, 10]", "the gate judges by .* leaves out recall@30"),
        ("RANKLOOP_TRAINING__EVAL_K_LIST", "[0, 10, 30]", "training.eval_k_list"),
        ("RANKLOOP_TRAINING__EVAL_METRIC_LIST", '["recall"]', "the gate judges by .* leaves out ndcg@10"),
        ("RANKLOOP_TRAINING__EVAL_METRIC_LIST", '["auc"]', "'map', 'recall', 'ndcg', 'precision' or 'ctr'"),
        ("RANKLOOP_TRAINING__XGBOOST__TUNE_PARAMS", '{"max_depth": []}', "max_depth has no value to try"),
        ("RANKLOOP_TRAINING__XGBOOST__FIX_PARAM", "{}", "no setting is called training.xgboost.fix_param"),
    ],
)
def test_an_unknown_option_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    load_settings.cache_clear()
    with pytest.raises(SettingsError, match=message):
        load_settings()
    load_settings.cache_clear()


def test_settings_hold_those_of_training() -> None:
    assert isinstance(Settings().training, TrainingSettings)
