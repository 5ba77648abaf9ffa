"""A few lists before and after: what a difference of NDCG looks like to a buyer."""

from dataclasses import dataclass

import numpy as np

from rankloop.ranking.metrics import Floats, Ints, Judged, tally
from rankloop.ranking.scored import BASE, CHAMPION, OURS, ScoredLists

LABELS = ("", "clicked", "into the cart", "ordered")
SHOWN = 10
METRIC = "ndcg@10"


@dataclass(frozen=True)
class Place:
    """One product of a list: where it stood and where it stands now, counted from 1."""

    product_id: int
    before: int
    after: int
    label: int

    @property
    def reaction(self) -> str:
        """What the buyer did with it."""
        return LABELS[self.label]


@dataclass(frozen=True)
class Example:
    """One list: the first products of the new order, and those reacted to, wherever they went."""

    title: str
    request_id: str
    day: str
    products: int
    before: float
    after: float
    places: tuple[Place, ...]


def find_examples(lists: ScoredLists) -> tuple[Example, ...]:
    """Return the list that gained most, the median and the one that lost most, of the test lists with a reaction."""
    lists = lists.of_sets(*lists.tests())
    lists = lists.take(lists.reacted)
    if not len(lists):
        return ()
    champion = CHAMPION if CHAMPION in lists.table.column_names else BASE
    judged = Judged(lists.label, lists.sizes)
    before, after = (tally(lists.score(name), judged, (METRIC,)).each()[METRIC] for name in (champion, OURS))
    # Stable, so that of equal lists the first is taken, whatever the machine.
    order = np.argsort(after - before, kind="stable")
    chosen = {"The most gained": order[-1], "A typical list": order[len(order) // 2], "The most lost": order[0]}
    return tuple(
        _example(title, lists, int(number), champion, (float(before[number]), float(after[number])))
        for title, number in chosen.items()
    )


def _example(title: str, lists: ScoredLists, number: int, champion: str, ndcg: tuple[float, float]) -> Example:
    first, size = int(lists.first[number]), int(lists.sizes[number])
    rows = lists.table.slice(first, size)
    was, now = (_ranks(rows[name].to_numpy()) for name in (champion, OURS))
    label, product = rows["label"].to_pylist(), rows["product_id"].to_pylist()
    places = sorted(
        (Place(product[row], int(was[row]), int(now[row]), label[row]) for row in range(size)),
        key=lambda place: place.after,
    )
    shown = tuple(place for place in places if place.after <= SHOWN or place.label)
    request, day = rows["request_id"][0].as_py(), str(rows["dt"][0].as_py())
    return Example(title, request, day, size, *ndcg, shown)


def _ranks(score: Floats) -> Ints:
    """Return the rank of each row, counted from 1; of equal scores the first row comes first."""
    ranks = np.empty(len(score), dtype=np.int64)
    ranks[np.argsort(-score, kind="stable")] = np.arange(1, len(score) + 1)
    return ranks
