"""How good a ranking is: MAP, recall, NDCG, precision and CTR at k, list by list.

Conventions, argued in docs/evaluation.md: products of equal score count as if the less relevant came first, so that a
ranking which does not decide is never flattered; a list in which nothing is relevant has no MAP, recall, NDCG or
precision (NaN) and does not enter their means; average precision is divided by the relevant products that k places can
hold; NDCG gains are `2 ** label - 1`; precision is divided by k, however short the list. CTR is over all lists, those
without a reaction too: the products with a reaction in the first k places over the products shown there, both summed
over the lists by weight before they are divided.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

KS = (5, 10, 20, 30)
METRICS = ("map", "recall", "ndcg", "precision", "ctr")


def metric_names(ks: Sequence[int] = KS, metrics: Sequence[str] = METRICS) -> tuple[str, ...]:
    """`map@5` and so on, in the order in which tables show them, whatever the order in which they are asked for."""
    return tuple(f"{metric}@{k}" for metric in METRICS if metric in metrics for k in sorted(set(ks)))


NAMES = metric_names()


@dataclass(frozen=True)
class Judged:
    """What buyers made of lists that lie one after the other.

    `label` has one figure a row, `sizes` and `weight` one a list. `member` says which rows belong to a segment: the
    list is ranked as a whole, but only their reactions count, and CTR is over them alone.
    """

    label: Ints
    sizes: Ints
    weight: Floats | None = None
    member: Bools | None = None


@dataclass(frozen=True)
class Tally:
    """What each list adds to each metric: a metric is the sum of its parts over the sum of its wholes.

    Both are (lists, metrics). Kept apart so that any choice of lists, a segment or a resample, is two sums away.
    """

    names: tuple[str, ...]
    part: Floats
    whole: Floats

    def __len__(self) -> int:
        return len(self.part)

    def take(self, lists: Bools | Ints) -> "Tally":
        """Return the tally of some of the lists."""
        return Tally(self.names, self.part[lists], self.whole[lists])

    def each(self) -> dict[str, Floats]:
        """Each metric list by list, NaN where the list does not have it."""
        share = divide(self.part, self.whole)
        return {name: share[:, column] for column, name in enumerate(self.names)}

    def means(self) -> dict[str, float]:
        """Each metric over all lists, NaN where no list has it."""
        share = divide(self.part.sum(axis=0), self.whole.sum(axis=0))
        return {name: float(value) for name, value in zip(self.names, share, strict=True)}


def list_metrics(score: Floats, label: Ints, sizes: Ints, ks: Sequence[int] = KS) -> dict[str, Floats]:
    """Each metric list by list. Scores and labels lie list after list; `sizes` says how long each list is."""
    return tally(score, Judged(label, sizes), metric_names(ks)).each()


def mean_metrics(
    score: Floats, label: Ints, sizes: Ints, ks: Sequence[int] = KS, weight: Floats | None = None
) -> dict[str, float]:
    """Each metric over all lists, `map@5` and so on; NaN where no list has it.

    `weight` has one figure a list: how many lists this one stands for, where lists without a reaction are sampled.
    """
    return tally(score, Judged(label, sizes, weight), metric_names(ks)).means()


def tally(score: Floats, judged: Judged, names: Sequence[str] = NAMES) -> Tally:
    """Compute what each list adds to the numerator and the denominator of each metric."""
    label, sizes, ks = judged.label, judged.sizes, {int(name.partition("@")[2]) for name in names}
    member = np.ones(len(label), dtype=bool) if judged.member is None else judged.member
    weight = np.ones(len(sizes)) if judged.weight is None else judged.weight
    number = np.repeat(np.arange(len(sizes)), sizes)
    kept = np.where(member, label, 0)
    order = worst_order(score, kept, number)
    ordered, member = kept[order], member[order]
    first = np.cumsum(sizes) - sizes
    place = np.arange(len(ordered)) - np.repeat(first, sizes)
    parts: dict[str, Floats] = {}
    wholes: dict[str, Floats] = {}
    for name, (part, whole) in _graded(ordered, number, place, sizes, ks).items():
        parts[name], wholes[name] = part * weight, whole * weight
    for k in ks:
        top = place < k
        parts[f"ctr@{k}"] = _sum(top & (ordered > 0), number, sizes) * weight
        wholes[f"ctr@{k}"] = _sum(top & member, number, sizes) * weight
    return Tally(tuple(names), _columns(parts, names), _columns(wholes, names))


def worst_order(score: Floats, label: Ints, number: Ints) -> Ints:
    """Return the order of rows, list by list from the highest score down; among ties the less relevant come first."""
    return np.lexsort((label, -score, number))


def divide(part: Floats, whole: Floats) -> Floats:
    """Part over whole, NaN where there is no whole."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


def _graded(
    label: Ints, number: Ints, place: Ints, sizes: Ints, ks: Collection[int]
) -> dict[str, tuple[Floats, Floats]]:
    """Each metric that asks for something relevant: its value where there is, and whether there is."""
    relevant = label > 0
    total = _sum(relevant, number, sizes)
    before = np.concatenate([[0], np.cumsum(relevant)])
    hits_so_far = before[1:] - before[np.repeat(np.cumsum(sizes) - sizes, sizes)]
    gain = (2.0**label - 1) / np.log2(place + 2)
    best = _best_gain(label, number, place)
    precise = relevant * hits_so_far / (place + 1)
    figures: dict[str, tuple[Floats, Floats]] = {}
    has = (total > 0).astype(np.float64)
    for k in ks:
        top = place < k
        hits = _sum(relevant & top, number, sizes)
        of = {
            "map": divide(_sum(precise * top, number, sizes), np.minimum(total, k)),
            "recall": divide(hits, total),
            "ndcg": divide(_sum(gain * top, number, sizes), _sum(best * top, number, sizes)),
            "precision": hits / k,
        }
        figures |= {f"{metric}@{k}": (np.where(total > 0, value, 0.0), has) for metric, value in of.items()}
    return figures


def _best_gain(label: Ints, number: Ints, place: Ints) -> Floats:
    """Return the discounted gain at each place of each list in its ideal order."""
    ideal = label[np.lexsort((-label.astype(np.int64), number))]
    return np.asarray((2.0**ideal - 1) / np.log2(place + 2))


def _sum(value: npt.NDArray[Any], number: Ints, sizes: Ints) -> Floats:
    return np.bincount(number, value, len(sizes)).astype(np.float64)


def _columns(figures: dict[str, Floats], names: Sequence[str]) -> Floats:
    return np.stack([figures[name] for name in names], axis=1)
