"""Ranking metrics against slow, obvious ones, against scikit-learn's, and against NIST's trec_eval."""

import math
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from sklearn.metrics import ndcg_score

from rankloop.ranking.metrics import Judged, list_metrics, mean_metrics, metric_names, tally

List = list[tuple[int, int]]

# Scores from a few values only, so that ties are common; a list may be empty.
PRODUCT = st.tuples(st.integers(0, 4), st.integers(0, 3))
LISTS = st.lists(st.lists(PRODUCT, max_size=12), min_size=1, max_size=6)


def flat(lists: list[List]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    score = [score for one in lists for score, _ in one]
    label = [label for one in lists for _, label in one]
    return (
        np.array(score, dtype=float),
        np.array(label, dtype=np.int8),
        np.array([len(one) for one in lists], dtype=np.int64),
    )


def slow(one: List, k: int) -> dict[str, float]:
    ordered = [label for _, label in sorted(one, key=lambda entry: (-entry[0], entry[1]))]
    relevant = sum(label > 0 for label in ordered)
    hits, precisions = 0, 0.0
    for place, label in enumerate(ordered[:k], 1):
        if label > 0:
            hits += 1
            precisions += hits / place
    ctr = hits / min(k, len(ordered)) if ordered else math.nan
    if relevant == 0:
        return {**dict.fromkeys(("map", "recall", "ndcg", "precision"), math.nan), "ctr": ctr}

    def gain(labels: list[int]) -> float:
        return sum((2**label - 1) / math.log2(place + 1) for place, label in enumerate(labels[:k], 1))

    return {
        "map": precisions / min(relevant, k),
        "recall": hits / relevant,
        "ndcg": gain(ordered) / gain(sorted(ordered, reverse=True)),
        "precision": hits / k,
        "ctr": ctr,
    }


def trec(lists: list[List], k: int) -> dict[int, dict[str, float]]:
    """What trec_eval says of each list. It puts ties in falling order of name, so the less relevant get the later."""
    judged, ranked = {}, {}
    for number, one in enumerate(lists):
        names = [f"{3 - label}-{row:02}" for row, (_, label) in enumerate(one)]
        judged[str(number)] = {name: 2**label - 1 for name, (_, label) in zip(names, one, strict=True)}
        ranked[str(number)] = {name: float(score) for name, (score, _) in zip(names, one, strict=True)}
    measures = {f"{measure}.{k}" for measure in ("map_cut", "recall", "ndcg_cut", "P")}
    said = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(ranked)
    return {int(number): figures for number, figures in said.items()}


@given(LISTS, st.integers(1, 15))
def test_every_metric_agrees_with_a_slow_and_obvious_one(lists: list[List], k: int) -> None:
    figures = list_metrics(*flat(lists), ks=(k,))
    for number, one in enumerate(lists):
        for name, expected in slow(one, k).items():
            assert figures[f"{name}@{k}"][number] == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20).filter(any), st.integers(1, 20), st.randoms())
def test_ndcg_agrees_with_scikit_learn_where_no_scores_tie(labels: list[int], k: int, random: Random) -> None:
    score = list(range(len(labels)))
    random.shuffle(score)
    ours = mean_metrics(np.array(score, dtype=float), np.array(labels), np.array([len(labels)]), ks=(k,))
    theirs = ndcg_score([[2**label - 1 for label in labels]], [score], k=k)
    assert ours[f"ndcg@{k}"] == pytest.approx(theirs)


@given(LISTS.map(lambda lists: [one for one in lists if any(label for _, label in one)]), st.integers(1, 15))
def test_map_recall_ndcg_and_precision_agree_with_trec_eval_ties_included(lists: list[List], k: int) -> None:
    figures = list_metrics(*flat(lists), ks=(k,))
    for number, said in trec(lists, k).items():
        relevant = sum(label > 0 for _, label in lists[number])
        # trec_eval divides by all that is relevant, though k places cannot hold it.
        assert figures[f"map@{k}"][number] == pytest.approx(said[f"map_cut_{k}"] * relevant / min(relevant, k))
        assert figures[f"recall@{k}"][number] == pytest.approx(said[f"recall_{k}"])
        assert figures[f"ndcg@{k}"][number] == pytest.approx(said[f"ndcg_cut_{k}"])
        assert figures[f"precision@{k}"][number] == pytest.approx(said[f"P_{k}"])


@given(LISTS)
def test_a_ranking_that_does_not_decide_is_never_better_than_one_that_does(lists: list[List]) -> None:
    score, label, sizes = flat(lists)
    undecided = list_metrics(np.zeros(len(score)), label, sizes)
    decided = list_metrics(score, label, sizes)
    for name, figures in undecided.items():
        assert np.all((figures <= decided[name] + 1e-12) | np.isnan(figures))


@given(LISTS, st.randoms())
def test_the_order_of_the_lists_and_of_their_rows_changes_nothing(lists: list[List], random: Random) -> None:
    shuffled = [random.sample(one, len(one)) for one in random.sample(lists, len(lists))]
    assert mean_metrics(*flat(shuffled)) == pytest.approx(mean_metrics(*flat(lists)), nan_ok=True)


@given(LISTS, st.lists(st.integers(1, 5), min_size=6, max_size=6))
def test_a_list_of_weight_n_counts_as_n_such_lists(lists: list[List], weights: list[int]) -> None:
    weights = weights[: len(lists)]
    repeated = [one for one, weight in zip(lists, weights, strict=True) for _ in range(weight)]
    weighted = mean_metrics(*flat(lists), weight=np.array(weights, dtype=float))
    assert weighted == pytest.approx(mean_metrics(*flat(repeated)), nan_ok=True)


def test_lists_in_which_nothing_is_relevant_enter_only_ctr() -> None:
    figures = mean_metrics(np.array([2.0, 1.0, 2.0, 1.0]), np.array([1, 0, 0, 0]), np.array([2, 2]), ks=(1,))
    assert figures == {"map@1": 1.0, "recall@1": 1.0, "ndcg@1": 1.0, "precision@1": 1.0, "ctr@1": 0.5}


def test_ctr_divides_sums_so_that_a_short_list_counts_for_the_products_it_showed() -> None:
    figures = mean_metrics(np.array([1.0, 3.0, 2.0, 1.0]), np.array([1, 0, 0, 0]), np.array([1, 3]), ks=(5,))
    assert figures["ctr@5"] == 1 / 4


def test_without_any_relevant_product_there_are_no_figures() -> None:
    assert math.isnan(mean_metrics(np.array([1.0]), np.array([0]), np.array([1]))["ndcg@5"])


@pytest.mark.parametrize("sizes", [[], [0], [0, 0]])
def test_no_products_give_no_figures_and_no_error(sizes: list[int]) -> None:
    nothing = np.array([], dtype=float)
    figures = mean_metrics(nothing, nothing.astype(np.int8), np.array(sizes, dtype=np.int64))
    assert all(math.isnan(value) for value in figures.values())


def test_a_segments_reactions_alone_count_but_the_whole_list_stands_in_their_way() -> None:
    score, label, member = np.array([3.0, 2.0, 1.0]), np.array([3, 1, 0]), np.array([False, True, True])
    figures = tally(score, Judged(label, np.array([3]), member=member), metric_names((1, 2))).means()
    assert (figures["recall@1"], figures["recall@2"]) == (0, 1)  # the second place is where the segment's click stood
    assert (figures["map@2"], figures["ctr@2"]) == (0.5, 1.0)  # CTR is over the one product of the segment in the top 2
