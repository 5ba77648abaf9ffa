"""Scores to probabilities."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from rankloop.ranking.calibration import (
    METHODS,
    Calibration,
    CalibrationError,
    Method,
    Reliability,
    fit_calibration,
    reliability,
)

RANDOM = np.random.default_rng(11)
SCORE = RANDOM.normal(size=20_000)
TRUTH = 1 / (1 + np.exp(2 - 1.5 * SCORE))
REACTED = RANDOM.random(len(SCORE)) < TRUTH
ONES = np.ones(len(SCORE))
FITTED = {method: fit_calibration(SCORE, REACTED, ONES, method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_come_near_the_true_ones(method: Method) -> None:
    fitted = FITTED[method]
    assert np.abs(fitted.apply(SCORE) - TRUTH).mean() < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_the_weights_of_sampled_lists_give_the_probabilities_of_all_lists(method: Method) -> None:
    kept = REACTED | (RANDOM.random(len(SCORE)) < 0.2)
    weight = np.where(REACTED, 1.0, 5.0)
    fitted = fit_calibration(SCORE[kept], REACTED[kept], weight[kept], method)
    assert np.abs(fitted.apply(SCORE) - TRUTH).mean() < 0.03


@pytest.mark.parametrize("method", METHODS)
@given(scores=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
@settings(max_examples=50)
def test_a_higher_score_never_has_a_lower_probability(method: Method, scores: list[float]) -> None:
    probability = FITTED[method].apply(np.sort(scores))
    assert np.all(np.diff(probability) >= 0)
    assert np.all((probability >= 0) & (probability <= 1))


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_is_read_back_as_it_was_written(method: Method) -> None:
    fitted = FITTED[method]
    again = Calibration.from_json(fitted.to_json())
    assert again == fitted
    assert np.array_equal(again.apply(SCORE), fitted.apply(SCORE))


def test_a_format_of_another_version_is_refused() -> None:
    with pytest.raises(CalibrationError, match="format 2 cannot be read"):
        Calibration.from_json('{"format": 2}')


def test_days_without_a_reaction_cannot_calibrate() -> None:
    with pytest.raises(CalibrationError, match="20,000 on the validation days 0 have one"):
        fit_calibration(SCORE, np.zeros(len(SCORE), dtype=bool), ONES)


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(CalibrationError, match="'beta' is not known; there are isotonic, platt"):
        fit_calibration(SCORE, REACTED, ONES, "beta")  # type: ignore[arg-type]


def test_true_probabilities_are_reliable_and_doubled_ones_are_not() -> None:
    assert reliability(TRUTH, REACTED, ONES).error < 0.01
    assert reliability(np.minimum(1, 2 * TRUTH), REACTED, ONES).error > 0.1


def test_bins_hold_equally_many_and_together_all() -> None:
    table = reliability(TRUTH, REACTED, ONES)
    shown = [one.shown for one in table.bins]
    assert shown == pytest.approx([2000] * 10, abs=2)
    assert sum(one.shown * one.observed for one in table.bins) == pytest.approx(REACTED.sum())
    assert [one.predicted for one in table.bins] == sorted(one.predicted for one in table.bins)


def test_products_of_one_probability_are_one_bin() -> None:
    table = reliability(np.full(100, 0.3), np.arange(100) < 20, np.ones(100))
    assert len(table.bins) == 1
    assert (table.bins[0].predicted, table.bins[0].observed, table.error) == pytest.approx((0.3, 0.2, 0.1))


def test_a_reliability_table_is_read_back() -> None:
    table = reliability(TRUTH, REACTED, ONES)
    assert Reliability.from_dict(table.as_dict()) == Reliability(table.bins, table.error)
