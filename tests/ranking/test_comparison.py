"""The paired bootstrap."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from rankloop.ranking import comparison
from rankloop.ranking.comparison import Bootstrap, Comparison, compare, intervals
from rankloop.ranking.metrics import Tally, metric_names
from rankloop.ranking.scored import ScoredListsError, scored_lists
from rankloop.ranking.segments import segments
from tests.ranking.judged_lists import scored

FEW = Bootstrap(resamples=100)


def plain(values: np.ndarray) -> Tally:
    """A tally of one metric whose mean is that of the values."""
    return Tally(("metric",), values[:, None], np.ones((len(values), 1)))


FIGURES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30).map(np.array)


@given(FIGURES)
@settings(max_examples=50)
def test_exchanging_the_rankings_turns_every_sign(figures: np.ndarray) -> None:
    ours, theirs = plain(figures[:, 0]), plain(figures[:, 1])
    lower, upper = intervals(ours, theirs, FEW)
    swapped_lower, swapped_upper = intervals(theirs, ours, FEW)
    assert swapped_lower.tolist() == pytest.approx((-upper).tolist())
    assert swapped_upper.tolist() == pytest.approx((-lower).tolist())


def test_the_same_ranking_twice_differs_by_nothing_in_every_metric_and_segment() -> None:
    table = scored(200)
    same = compare(scored_lists(table.append_column("champion_score", table["pscore"])), FEW)
    for delta in same.deltas:
        assert (delta.difference, delta.lower, delta.upper) == (0, 0, 0) or delta.lists == 0


@pytest.mark.parametrize("lists_of_a_buyer", [1, 5])
def test_a_95_percent_interval_holds_the_truth_about_95_times_of_100(lists_of_a_buyer: int) -> None:
    random, truth, held, rounds = np.random.default_rng(3), 0.05, 0, 200
    bootstrap = Bootstrap(resamples=200, by="buyer" if lists_of_a_buyer > 1 else "list")
    groups = np.repeat(np.arange(80), lists_of_a_buyer)
    for _ in range(rounds):
        liking = random.normal(0, 0.2, 80)[groups] if lists_of_a_buyer > 1 else 0
        theirs = random.beta(2, 3, len(groups))
        ours = theirs + truth + liking + random.normal(0, 0.2, len(groups))
        lower, upper = intervals(plain(ours), plain(theirs), bootstrap, groups=groups if lists_of_a_buyer > 1 else None)
        held += lower[0] <= truth <= upper[0]
    assert 0.89 <= held / rounds <= 0.98


def test_pairing_makes_the_interval_as_narrow_as_the_difference_is() -> None:
    easy = np.random.default_rng(5).random(400)  # lists differ much, the rankings by the same on each
    lower, upper = intervals(plain(easy + 0.01), plain(easy), FEW)
    assert (lower[0], upper[0]) == pytest.approx((0.01, 0.01))


def test_the_draws_do_not_hang_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    ours, theirs = plain(random.random(75)), plain(random.random(75))
    at_once = intervals(ours, theirs, FEW)
    monkeypatch.setattr(comparison, "AT_ONCE", 500)
    assert np.allclose(intervals(ours, theirs, FEW), at_once)


def test_a_segments_interval_does_not_hang_on_which_other_segments_there_are() -> None:
    table = scored(200)
    fewer = compare(scored_lists(table.drop_columns(["segment_price", "segment_city"])), FEW)
    everything = compare(scored_lists(table), FEW)
    assert fewer.of("ndcg@10", "product=cold") == everything.of("ndcg@10", "product=cold")


def test_the_seed_decides_the_interval() -> None:
    lists = scored_lists(scored(200))
    assert compare(lists, FEW) == compare(lists, FEW)
    assert compare(lists, FEW).of("ndcg@10").lower != compare(lists, Bootstrap(100, seed=8)).of("ndcg@10").lower


def test_every_metric_is_compared_over_all_test_lists_and_in_every_segment() -> None:
    lists = scored_lists(scored(200, champion=1.0))
    compared = compare(lists, FEW)
    tested = lists.of_sets(*compared.sets)
    names = ["all", *(segment.name for segment in segments(tested))]
    assert [(delta.segment, delta.metric) for delta in compared.deltas] == [
        (name, metric) for name in names for metric in metric_names()
    ]
    assert compared.lists == len(tested)
    assert compared.of("ndcg@10").lists == tested.reacted.sum()


@pytest.mark.parametrize(("champion", "against"), [(None, "base_score"), (1.0, "champion_score")])
def test_base_stands_in_where_there_is_no_champion(champion: float | None, against: str) -> None:
    assert compare(scored_lists(scored(100, champion=champion)), FEW).champion == against


def test_a_better_ranking_is_found_to_be_better() -> None:
    delta = compare(scored_lists(scored(800, ours=3.0, champion=1.0)), FEW).of("ndcg@10")
    assert 0 < delta.lower < delta.difference < delta.upper


def test_a_buyers_lists_are_drawn_together_where_asked() -> None:
    lists = scored_lists(scored(300))
    by_buyer = compare(lists, Bootstrap(100, by="buyer")).of("ndcg@10")
    by_list = compare(lists, FEW).of("ndcg@10")
    assert by_buyer.difference == by_list.difference
    assert by_buyer.lower != by_list.lower


def test_a_comparison_is_read_back_as_it_was_written() -> None:
    table = scored(60)
    compared = compare(scored_lists(table), FEW)
    assert Comparison.from_json(compared.to_json()).to_json() == compared.to_json()
    known = [delta for delta in compared.deltas if delta.lists]
    assert [delta for delta in Comparison.from_json(compared.to_json()).deltas if delta.lists] == known


def test_without_a_list_to_compare_on_it_says_so() -> None:
    with pytest.raises(ScoredListsError, match="no scored list is of the sets test_9"):
        compare(scored_lists(scored(20)), FEW, sets=("test_9",))
