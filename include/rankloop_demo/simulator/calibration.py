"""How the simulated base ranking compares with the figures of the reference system's own ranking."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from rankloop.ranking.metrics import mean_metrics
from rankloop_demo.simulator.living import Marketplace, happen
from rankloop_demo.simulator.reactions import CLICK
from rankloop_demo.simulator.taste import click_probability

REFERENCE = {
    "map@5": (0.1574, 0.1640, 0.1572, 0.1514),
    "map@10": (0.1819, 0.1899, 0.1804, 0.1761),
    "map@20": (0.1954, 0.2032, 0.1951, 0.1903),
    "map@30": (0.1995, 0.2074, 0.1991, 0.1946),
    "recall@5": (0.3206, 0.3211, 0.3121, 0.3030),
    "recall@10": (0.5055, 0.5173, 0.4880, 0.4904),
    "recall@20": (0.6987, 0.7086, 0.7041, 0.6951),
    "recall@30": (0.8063, 0.8112, 0.8073, 0.8015),
    "ndcg@5": (0.1972, 0.2025, 0.1947, 0.1886),
    "ndcg@10": (0.2569, 0.2657, 0.2517, 0.2488),
    "ndcg@20": (0.3060, 0.3143, 0.3065, 0.3007),
    "ndcg@30": (0.3290, 0.3362, 0.3287, 0.3235),
}
"""The base ranking on the reference's four test blocks. Its precision follows a convention that is not known."""


@dataclass(frozen=True)
class Calibration:
    """One metric: the reference's base ranking, ours, and the best that the true probabilities allow."""

    metric: str
    reference: float
    base: float
    ceiling: float


def calibrate(place: Marketplace, days: Sequence[date]) -> list[Calibration]:
    """Measure the base ranking and the ceiling on these days, over the lists in which something was clicked."""
    base_scores, probabilities, clicks, sizes = [], [], [], []
    for day in days:
        for block in range(place.blocks):
            lists, reactions = happen(place, day, block)
            clicked = np.zeros(lists.products.shape, dtype=np.int64)
            hit = reactions.take(reactions.kind == CLICK)
            row, place_in_list = np.nonzero(lists.products[hit.list] == hit.product[:, None])
            clicked[hit.list[row], place_in_list] = 1
            shown = lists.shown
            base_scores.append(lists.base_score[shown])
            probabilities.append(click_probability(place.world, place.market(day), lists)[shown])
            clicks.append(clicked[shown])
            sizes.append(shown.sum(axis=1))
    label, size = np.concatenate(clicks), np.concatenate(sizes)
    base = mean_metrics(np.concatenate(base_scores), label, size)
    ceiling = mean_metrics(np.concatenate(probabilities), label, size)
    return [Calibration(name, float(np.mean(theirs)), base[name], ceiling[name]) for name, theirs in REFERENCE.items()]
