"""Metrics for a part of the buyers or of the products.

A segment of buyers is the lists shown to them. A segment of products is every list that shows one of them, ranked as a
whole: reactions to other products count as none, so its recall@10 is the share of what buyers liked of the segment
that stands among the first ten of all, and its CTR is over its own products alone. What is asked is what a seller in
the segment would ask: do those who want my products still find them?
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc

from rankloop.ranking.metrics import NAMES, Ints, Judged, Tally, tally
from rankloop.ranking.scored import ScoredLists

BUYER_KINDS = ("buyer", "city")
PRODUCT_KINDS = ("product", "category", "price")
TOP_CATEGORIES = 8


@dataclass(frozen=True, order=True)
class Segment:
    """One part of the buyers or products, such as the cold products."""

    kind: str
    value: str

    @property
    def name(self) -> str:
        """What settings and files call it, `product=cold`."""
        return f"{self.kind}={self.value}"

    @property
    def title(self) -> str:
        """What a page calls it, "cold products"."""
        return {
            "buyer": f"{self.value} buyers",
            "city": f"city tier {self.value}",
            "product": f"{self.value} products",
            "category": f"category {self.value}",
            "price": f"price quartile {self.value}",
        }.get(self.kind, self.name)


def segment_of(name: str) -> Segment:
    """Parse the name of a segment, such as `product=cold`."""
    kind, _, value = name.partition("=")
    return Segment(kind, value)


def segments(lists: ScoredLists, top_categories: int = TOP_CATEGORIES) -> tuple[Segment, ...]:
    """Return every segment that occurs in the lists; of the categories, those with a reaction in the most lists."""
    occurring: list[Segment] = []
    for kind in (*BUYER_KINDS, *PRODUCT_KINDS):
        column = f"segment_{kind}"
        if column not in lists.table.column_names:
            continue
        values = sorted(value for value in pc.unique(lists.table[column]).to_pylist() if value is not None)
        if kind == "category":
            values = _most_liked(lists, column)[:top_categories]
        occurring += [Segment(kind, value) for value in values]
    return tuple(occurring)


def segment_lists(lists: ScoredLists, segment: Segment) -> tuple[ScoredLists, Judged]:
    """Return the lists that concern a segment, and which of their reactions count for it."""
    column = lists.table[f"segment_{segment.kind}"]
    member = pc.fill_null(pc.equal(column, segment.value), fill_value=False).to_numpy().astype(bool)
    if segment.kind in BUYER_KINDS:
        concerned = lists.take(member[lists.first])
        return concerned, concerned.judged
    shown = _counts(member, lists) > 0
    concerned = lists.take(shown)
    return concerned, replace(concerned.judged, member=member[np.repeat(shown, lists.sizes)])


def segment_tallies(
    lists: ScoredLists, segment: Segment, rankings: Sequence[str], names: Sequence[str] = NAMES
) -> tuple[ScoredLists, dict[str, Tally]]:
    """Return the lists that concern a segment, and for each ranking the tally of its metrics on them."""
    concerned, judged = segment_lists(lists, segment)
    return concerned, {ranking: tally(concerned.score(ranking), judged, names) for ranking in rankings}


def _most_liked(lists: ScoredLists, column: str) -> list[str]:
    """Return the values with a reaction, the most frequent first; no ranking is asked, so none can favour itself."""
    liked = lists.table.select(["request_id", column]).filter(pc.greater(lists.table["label"], 0))
    counted = liked.group_by(column).aggregate([("request_id", "count_distinct")])
    pairs = zip(counted["request_id_count_distinct"].to_pylist(), counted[column].to_pylist(), strict=True)
    return [value for _, value in sorted(((-count, value) for count, value in pairs if value is not None))]


def _counts(member: np.ndarray, lists: ScoredLists) -> Ints:
    """How many rows of each list are members."""
    running = np.concatenate([[0], np.cumsum(member)])
    return np.asarray(running[lists.first + lists.sizes] - running[lists.first])
