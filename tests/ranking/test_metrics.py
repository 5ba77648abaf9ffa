"""Ranking metrics against slow, obvious ones, and against scikit-learn's."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import ndcg_score

from rankloop.ranking.metrics import list_metrics, mean_metrics

# Scores from a few values only, so that ties are common.
PRODUCT = st.tuples(st.integers(0, 4), st.integers(0, 3))
LISTS = st.lists(st.lists(PRODUCT, min_size=1, max_size=12), min_size=1, max_size=6)


def flat(lists: list[list[tuple[int, int]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    score, label = (np.array(column) for column in zip(*(entry for one in lists for entry in one), strict=True))
    return score.astype(float), label, np.array([len(one) for one in lists])


def slow(one: list[tuple[int, int]], k: int) -> dict[str, float]:
    ordered = [label for _, label in sorted(one, key=lambda entry: (-entry[0], entry[1]))]
    relevant = sum(label > 0 for label in ordered)
    if relevant == 0:
        return dict.fromkeys(("map", "recall", "ndcg", "precision"), math.nan)
    hits, precisions = 0, 0.0
    for place, label in enumerate(ordered[:k], 1):
        if label > 0:
            hits += 1
            precisions += hits / place

    def gain(labels: list[int]) -> float:
        return sum((2**label - 1) / math.log2(place + 1) for place, label in enumerate(labels[:k], 1))

    return {
        "map": precisions / min(relevant, k),
        "recall": hits / relevant,
        "ndcg": gain(ordered) / gain(sorted(ordered, reverse=True)),
        "precision": hits / k,
    }


@given(LISTS, st.integers(1, 15))
def test_every_metric_agrees_with_a_slow_and_obvious_one(lists: list[list[tuple[int, int]]], k: int) -> None:
    figures = list_metrics(*flat(lists), ks=(k,))
    for number, one in enumerate(lists):
        for name, expected in slow(one, k).items():
            assert figures[f"{name}@{k}"][number] == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20).filter(any), st.integers(1, 20), st.randoms())
def test_ndcg_agrees_with_scikit_learn_where_no_scores_tie(labels: list[int], k: int, random: object) -> None:
    score = list(range(len(labels)))
    random.shuffle(score)  # type: ignore[attr-defined]
    ours = mean_metrics(np.array(score, dtype=float), np.array(labels), np.array([len(labels)]), ks=(k,))
    theirs = ndcg_score([[2**label - 1 for label in labels]], [score], k=k)
    assert ours[f"ndcg@{k}"] == pytest.approx(theirs)


@given(LISTS)
def test_a_ranking_that_does_not_decide_is_never_better_than_one_that_does(lists: list[list[tuple[int, int]]]) -> None:
    score, label, sizes = flat(lists)
    undecided = list_metrics(np.zeros(len(score)), label, sizes)
    decided = list_metrics(score, label, sizes)
    for name, figures in undecided.items():
        assert np.all((figures <= decided[name] + 1e-12) | np.isnan(figures))


def test_lists_in_which_nothing_is_relevant_do_not_enter_a_mean() -> None:
    figures = mean_metrics(np.array([2.0, 1.0, 2.0, 1.0]), np.array([1, 0, 0, 0]), np.array([2, 2]), ks=(1,))
    assert figures == {"map@1": 1.0, "recall@1": 1.0, "ndcg@1": 1.0, "precision@1": 1.0}


def test_without_any_relevant_product_there_are_no_figures() -> None:
    assert math.isnan(mean_metrics(np.array([1.0]), np.array([0]), np.array([1]))["ndcg@5"])
