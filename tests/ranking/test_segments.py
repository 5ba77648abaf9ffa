"""Segments of buyers and of products."""

from collections import Counter

import numpy as np
import pytest

from rankloop.ranking.metrics import list_metrics, mean_metrics, metric_names
from rankloop.ranking.scored import scored_lists
from rankloop.ranking.segments import Segment, segment_lists, segment_tallies, segments
from tests.ranking.judged_lists import scored

LISTS = scored_lists(scored())


def test_segments_are_found_in_the_lists() -> None:
    assert {segment.kind for segment in segments(LISTS)} == {"buyer", "city", "product", "category", "price"}
    assert Segment("product", "cold") in segments(LISTS)


def test_only_the_categories_liked_in_the_most_lists_are_segments() -> None:
    kept = [segment.value for segment in segments(LISTS, top_categories=2) if segment.kind == "category"]
    liked = LISTS.table.filter(LISTS.table["label"].to_numpy() > 0)
    pairs = set(zip(liked["segment_category"].to_pylist(), liked["request_id"].to_pylist(), strict=True))
    lists_of = Counter(category for category, _ in pairs)
    assert kept == sorted(lists_of, key=lambda value: (-lists_of[value], value))[:2]


def test_a_segment_of_buyers_is_the_lists_shown_to_them() -> None:
    some, judged = segment_lists(LISTS, Segment("buyer", "new"))
    assert set(some.of_row("segment_buyer")) == {"new"}
    assert judged.member is None


def test_segments_of_buyers_add_up_to_all_lists() -> None:
    parts = [segment_tallies(LISTS, Segment("city", tier), ["pscore"])[1]["pscore"] for tier in "123"]
    part, whole = (sum(getattr(tally, side).sum(axis=0) for tally in parts) for side in ("part", "whole"))
    everything = mean_metrics(LISTS.score("pscore"), LISTS.label, LISTS.sizes, weight=LISTS.weight)
    assert (part / whole).tolist() == pytest.approx(list(everything.values()))


def test_a_segment_of_products_counts_its_own_reactions_in_the_order_of_the_whole_list() -> None:
    tally = segment_tallies(LISTS, Segment("product", "cold"), ["pscore"])[1]["pscore"]
    cold = LISTS.of_row("segment_product") == "cold"
    expected = list_metrics(LISTS.score("pscore"), np.where(cold, LISTS.label, 0), LISTS.sizes)
    for name, values in tally.each().items():
        if not name.startswith("ctr"):
            kept = values[~np.isnan(values)]
            assert kept.tolist() == pytest.approx(expected[name][~np.isnan(expected[name])].tolist())


def test_the_ctr_of_a_segment_of_products_is_over_its_own_products() -> None:
    tally = segment_tallies(LISTS, Segment("product", "cold"), ["pscore"], metric_names((1000,)))[1]["pscore"]
    cold = LISTS.of_row("segment_product") == "cold"
    weight = LISTS.row_weight[cold]
    assert tally.means()["ctr@1000"] == pytest.approx((weight * (LISTS.label[cold] > 0)).sum() / weight.sum())


def test_a_value_that_is_not_known_belongs_to_no_segment() -> None:
    table = LISTS.table
    place = table.column_names.index("segment_city")
    city = [None if value == "3" else value for value in table["segment_city"].to_pylist()]
    lists = scored_lists(table.set_column(place, "segment_city", [city]))
    assert [segment.value for segment in segments(lists) if segment.kind == "city"] == ["1", "2"]
    assert len(segment_lists(lists, Segment("city", "1"))[0]) == len(segment_lists(LISTS, Segment("city", "1"))[0])
