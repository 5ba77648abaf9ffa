"""Clicks learned from scores and places: what is put in comes out, and sums agree."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort

from rankloop.monitoring.measure.click_model import click_cells, fit_click_model

PLACES = 20


def drawn(seed: int, lists: int, *, ordered: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, positions and true probabilities of lists in which some come in the order of the score."""
    random = np.random.default_rng(seed)
    score = random.normal(size=(lists, PLACES))
    if ordered:
        score[::2] = -np.sort(-score[::2], axis=1)
    position = np.tile(np.arange(1, PLACES + 1), (lists, 1))
    true = 0.5 / (1 + np.exp(1 - 1.5 * score)) * (1 + position / 5) ** -1.0
    return score.ravel(), position.ravel(), true.ravel()


@pytest.mark.parametrize("ordered", [True, False])
def test_the_true_probabilities_are_found(*, ordered: bool) -> None:
    score, position, true = drawn(1, 4000, ordered=ordered)
    clicked = np.random.default_rng(2).random(len(true)) < true
    likely = fit_click_model(score, position, clicked, np.ones(len(true))).apply(score, position)
    assert np.abs(likely - true).mean() < 0.1 * true.mean()
    assert np.corrcoef(likely, true)[0, 1] > 0.98


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
@effort(max_examples=30, deadline=None)
def test_what_is_expected_adds_up_to_what_came(seed: int, lists: int) -> None:
    score, position, true = drawn(seed, lists, ordered=True)
    random = np.random.default_rng(seed)
    clicked, weight = random.random(len(true)) < true, random.integers(1, 9, len(true)).astype(float)
    model = fit_click_model(score, position, clicked, weight)
    assert (np.diff(model.by_score) >= -1e-12).all()
    assert (np.diff(model.by_place) <= 1e-12).all()
    # A probability stops at 1, and where that happens the sums no longer agree.
    step = np.searchsorted(model.edges, score, side="right")
    expected = weight @ (model.by_score[step] * model.by_place[position - 1])
    assert expected == pytest.approx((weight * clicked).sum())


def test_what_all_products_count_for_changes_nothing() -> None:
    score, position, true = drawn(3, 50, ordered=True)
    clicked, laid = np.random.default_rng(4).random(len(true)) < true, click_cells(score, position)
    once, thrice = (laid.fit(clicked, np.full(len(true), times)).apply(score, position) for times in (1.0, 3.0))
    assert once == pytest.approx(thrice)


def test_places_beyond_those_that_were_learned_count_as_the_last() -> None:
    score, position, true = drawn(5, 100, ordered=False)
    model = fit_click_model(score, position, np.random.default_rng(6).random(len(true)) < true, np.ones(len(true)))
    likely = model.apply(np.zeros(2), np.array([PLACES, PLACES + 40]))
    assert likely[0] == likely[1] > 0
