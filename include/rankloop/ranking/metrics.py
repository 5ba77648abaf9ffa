"""How good a ranking is: MAP, recall, NDCG and precision at k, list by list.

Conventions: products of equal score count as if the less relevant came first, so that a ranking which does not
decide is never flattered; a list in which nothing is relevant has no figures (NaN) and does not enter a mean;
average precision is divided by the relevant products that k places can hold; NDCG gains are `2 ** label - 1`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

KS = (5, 10, 20, 30)
METRICS = ("map", "recall", "ndcg", "precision")


def mean_metrics(score: Floats, label: Ints, sizes: Ints, ks: Sequence[int] = KS) -> dict[str, float]:
    """The mean over lists of each metric, `map@5` and so on; NaN where no list has anything relevant."""
    figures = list_metrics(score, label, sizes, ks)
    return {
        name: float(np.nanmean(values)) if not np.isnan(values).all() else np.nan for name, values in figures.items()
    }


def list_metrics(score: Floats, label: Ints, sizes: Ints, ks: Sequence[int] = KS) -> dict[str, Floats]:
    """Each metric list by list. Scores and labels lie list after list; `sizes` says how long each list is."""
    number = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((label, -score, number))
    label = np.asarray(label)[order]
    start = np.cumsum(sizes) - sizes
    rank = np.arange(len(label)) - np.repeat(start, sizes)
    relevant = label > 0
    total = _sum(relevant, number, sizes)
    found = np.cumsum(relevant) - np.repeat(np.concatenate([[0], np.cumsum(relevant)])[start], sizes)
    gain = (2.0**label - 1) / np.log2(rank + 2)
    best = _best_gain(label, number, rank)
    figures: dict[str, Floats] = {}
    for k in ks:
        top = rank < k
        hits = _sum(relevant & top, number, sizes)
        figures[f"map@{k}"] = _share(_sum(relevant * top * found / (rank + 1), number, sizes), np.minimum(total, k))
        figures[f"recall@{k}"] = _share(hits, total)
        figures[f"ndcg@{k}"] = _share(_sum(gain * top, number, sizes), _sum(best * top, number, sizes))
        figures[f"precision@{k}"] = np.where(total > 0, hits / k, np.nan)
    return figures


def _best_gain(label: Ints, number: Ints, rank: Ints) -> Floats:
    """The gain at each place if the list stood in the best order there is."""
    ideal = label[np.lexsort((-label, number))]
    return np.asarray((2.0**ideal - 1) / np.log2(rank + 2))


def _sum(value: npt.NDArray[Any], number: Ints, sizes: Ints) -> Floats:
    return np.bincount(number, value, len(sizes)).astype(np.float64)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
