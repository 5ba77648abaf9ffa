"""Preprocessing: learned on the training rows, the same for every row whatever stands beside it."""

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from rankloop.ranking.preprocessing import Preprocessing, PreprocessingError, filling, learn, load_preprocessing
from rankloop.settings.training import PreprocessingSettings

NUMBERS = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))
COLUMN = arrays(np.float32, st.integers(1, 40), elements=NUMBERS)
OPTIONS = st.builds(
    PreprocessingSettings,
    sparse_threshold=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    clip_lower=st.sampled_from([0.0, 0.01, 0.2]),
    clip_upper=st.sampled_from([0.7, 0.99, 1.0]),
    fill=st.sampled_from(["median", "min", "max", "zero"]),
)


def batch(column: np.ndarray) -> pa.RecordBatch:
    return pa.record_batch({"a": pa.array(column, from_pandas=True), "other": pa.array(["x"] * len(column))})


@given(COLUMN, OPTIONS, st.randoms())
def test_what_is_learned_does_not_depend_on_the_order_of_rows(
    column: np.ndarray, options: PreprocessingSettings, random: object
) -> None:
    mixed = column.tolist()
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert learn(options, [("a", column)]) == learn(options, [("a", np.array(mixed, np.float32))])


@given(COLUMN, COLUMN, OPTIONS)
def test_every_value_of_any_day_comes_out_within_the_bounds_of_the_training_days(
    column: np.ndarray, later: np.ndarray, options: PreprocessingSettings
) -> None:
    made = learn(options, [("a", column)])
    values = made.apply(batch(later))
    assert values.shape == (len(later), len(made.features))
    assert not np.isnan(values).any()
    for learned in made.columns:
        known = values[~np.isnan(later), 0]
        assert np.all((known >= np.float32(learned.lower)) & (known <= np.float32(learned.upper)))
        assert np.all(values[np.isnan(later), 0] == np.float32(learned.fill))


@given(COLUMN, OPTIONS)
def test_a_row_comes_out_the_same_alone_and_among_others(column: np.ndarray, options: PreprocessingSettings) -> None:
    made = learn(options, [("a", column)])
    together = made.apply(batch(column))
    alone = [made.apply(batch(column[place : place + 1])) for place in range(len(column))]
    assert np.array_equal(together, np.concatenate(alone))


@given(COLUMN, OPTIONS)
def test_it_comes_back_from_json_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, column: np.ndarray, options: PreprocessingSettings
) -> None:
    made = learn(options, [("a", column)])
    folder = tmp_path_factory.mktemp("model")
    made.save(folder)
    assert load_preprocessing(folder) == made


def test_features_too_sparse_go_and_the_share_is_noted() -> None:
    column = np.array([np.nan, np.nan, np.nan, 1.0], np.float32)
    made = learn(PreprocessingSettings(sparse_threshold=0.7), [("a", column), ("b", np.ones(4, np.float32))])
    assert (made.features, made.dropped) == (("b",), {"a": 0.75})


def test_a_feature_without_any_value_goes_whatever_the_threshold() -> None:
    made = learn(PreprocessingSettings(sparse_threshold=1), [("a", np.full(3, np.nan, np.float32))])
    assert made.features == ()


@pytest.mark.parametrize(("fill", "expected"), [("median", 50.0), ("min", 10.0), ("max", 90.0), ("zero", 0.0)])
def test_empty_values_are_filled_after_clipping(fill: str, expected: float) -> None:
    column = np.append(np.arange(1, 101), np.nan).astype(np.float32)
    options = PreprocessingSettings(clip_lower=0.1, clip_upper=0.9, fill=fill)
    values = learn(options, [("a", column)]).apply(batch(column))
    assert (values.min(initial=99), values.max(), values[-1, 0]) == (min(10, expected), 90, expected)


def test_an_unknown_way_to_fill_is_refused_with_those_there_are() -> None:
    with pytest.raises(PreprocessingError, match="cannot be filled by 'mean'; there are median, min, max, zero"):
        filling("mean", [1.0])
    with pytest.raises(ValidationError, match="'median', 'min', 'max' or 'zero'"):
        PreprocessingSettings(fill="mean")


def test_rows_without_a_feature_are_refused_by_its_name() -> None:
    made: Preprocessing = learn(PreprocessingSettings(), [("b", np.ones(3, np.float32))])
    with pytest.raises(PreprocessingError, match="rows lack 1 of the model's 1 features: b"):
        made.apply(batch(np.ones(3)))
