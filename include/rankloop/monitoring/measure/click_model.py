"""A click model: how likely a click is, from the score of a product and its position.

Buyers look at a product by its place and click it by what it is: a probability is the product of a part that falls with
the place and a part that rises with the score. Each is fitted in turn, given the other, so that clicks and expectation
agree place by place and score by score. Lists of which ours put the best first and the shop's put others first tell the
two parts apart; lists of one ranking alone do not, and then the fit is only good for more lists of that kind.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rankloop.ranking.metrics import Bools, Floats, Ints

BINS = 100
"""Quantile bins of the scores."""
ROUNDS = 12
LEAST = 1e-9


@dataclass(frozen=True)
class ClickCells:
    """Impressions, by the bin of their score and their position, counted from 0."""

    edges: Floats
    step: Ints
    place: Ints
    places: int

    def fit(self, clicked: Bools, weight: Floats) -> "ClickModel":
        """Return the model of these clicks; `weight` says how many impressions each stands for."""
        cell = self.step * self.places + self.place
        shape = (len(self.edges) + 1, self.places)
        shown = np.bincount(cell, weight, shape[0] * shape[1]).reshape(shape)
        clicks = np.bincount(cell, weight * clicked, shape[0] * shape[1]).reshape(shape)
        by_place = np.ones(self.places)
        by_score = np.zeros(shape[0])
        for _ in range(ROUNDS):
            by_score = _monotone(clicks.sum(axis=1), shown @ by_place, rising=True)
            by_place = _monotone(clicks.sum(axis=0), by_score @ shown, rising=False)
        return ClickModel(self.edges, by_score, by_place)


@dataclass(frozen=True)
class ClickModel:
    """The two factors of a click's probability: relevance by score, examination by position."""

    edges: Floats
    by_score: Floats
    by_place: Floats

    def apply(self, score: Floats, position: Ints) -> Floats:
        """Return the probability of a click on each product; beyond the last learned position, that of the last."""
        place = np.clip(position - 1, 0, len(self.by_place) - 1)
        return np.asarray(np.minimum(self.by_score[_step(self.edges, score)] * self.by_place[place], 1.0))


def click_cells(score: Floats, position: Ints) -> ClickCells:
    """Return the impressions in cells."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1)[1:-1])) if len(score) else np.empty(0)
    return ClickCells(edges, _step(edges, score), position - 1, int(position.max(initial=1)))


def fit_click_model(score: Floats, position: Ints, clicked: Bools, weight: Floats) -> ClickModel:
    """Return the model of these impressions."""
    return click_cells(score, position).fit(clicked, weight)


def _step(edges: Floats, score: Floats) -> Ints:
    return np.searchsorted(edges, score, side="right")


def _monotone(clicks: Floats, expected: Floats, *, rising: bool) -> npt.NDArray[np.float64]:
    """Clicks over what was expected, made to rise or to fall; where nothing was expected, as beside it."""
    from sklearn.isotonic import isotonic_regression  # noqa: PLC0415  (seconds to import, and few need it)

    weight = np.maximum(expected, LEAST)
    return np.asarray(isotonic_regression(clicks / weight, sample_weight=weight, increasing=rising))
