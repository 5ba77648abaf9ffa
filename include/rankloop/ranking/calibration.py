"""From scores to the probability of a reaction, and how far to trust it.

A score says who comes first, not how likely a click is: its scale moves from one training to the next. Fitted on the
validation days, which the ranker did not learn from, with the weights of the sampled lists without a reaction, so
that the probabilities hold for all lists shown. They are for products as the shop showed them: position is averaged
over. Rank by the score itself: an isotonic probability has ties where the score has none.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from rankloop.errors import RankloopError
from rankloop.ranking.metrics import Bools, Floats

Method = Literal["isotonic", "platt"]
METHODS: tuple[Method, ...] = ("isotonic", "platt")
FORMAT = 1
BINS = 10


class CalibrationError(RankloopError):
    """A calibration that cannot be fitted or read."""


@dataclass(frozen=True)
class Calibration:
    """The curve from score to probability: straight between the points of an isotonic one, logistic for Platt's.

    For `platt`, `score` holds centre and scale, `probability` slope and intercept.
    """

    method: Method
    score: tuple[float, ...]
    probability: tuple[float, ...]

    def apply(self, score: Floats) -> Floats:
        """Return the probability of a reaction to each product, given its score."""
        score = np.asarray(score, dtype=np.float64)
        if self.method == "isotonic":
            return np.asarray(np.interp(score, self.score, self.probability))
        (centre, scale), (slope, intercept) = self.score, self.probability
        with np.errstate(over="ignore"):  # a score far out is a probability of 0
            return np.asarray(1 / (1 + np.exp(-(slope * (score - centre) / scale + intercept))))

    def to_json(self) -> str:
        """Return the calibration as JSON, with the number of its format."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Return the calibration that `to_json` wrote; refuse another format."""
        read: dict[str, Any] = json.loads(text)
        if (written := read.pop("format", None)) != FORMAT:
            raise CalibrationError(f"a calibration of format {written} cannot be read; this version reads {FORMAT}.")
        return cls(read["method"], tuple(read["score"]), tuple(read["probability"]))


def fit_calibration(score: Floats, reacted: Bools, weight: Floats, method: Method = "isotonic") -> Calibration:
    """Fit the curve to products' scores and reactions; `weight` says how many products each stands for."""
    reacted = np.asarray(reacted).astype(bool)
    if method not in METHODS:
        raise CalibrationError(f"calibration {method!r} is not known; there are {', '.join(METHODS)}.")
    if not (reacted.any() and not reacted.all()):
        raise CalibrationError(
            f"a calibration needs products with and without a reaction; of {len(reacted):,} on the validation days "
            f"{int(reacted.sum()):,} have one. Take validation days with lists of both kinds."
        )
    fit = _isotonic if method == "isotonic" else _platt
    return fit(np.asarray(score, dtype=np.float64), reacted, weight)


def _isotonic(score: Floats, reacted: Bools, weight: Floats) -> Calibration:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415  (seconds to import, and few need it)

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, reacted, sample_weight=weight)
    return Calibration("isotonic", tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))


def _platt(score: Floats, reacted: Bools, weight: Floats) -> Calibration:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (likewise)

    centre, scale = float(np.mean(score)), float(np.std(score)) or 1.0
    # Almost no regularisation: two parameters and thousands of products need none.
    fitted = LogisticRegression(C=1e6).fit(((score - centre) / scale)[:, None], reacted, sample_weight=weight)
    return Calibration("platt", (centre, scale), (float(fitted.coef_[0, 0]), float(fitted.intercept_[0])))


@dataclass(frozen=True)
class Bin:
    """Products of like probability: how many shown they stand for, what was said of them and what they did."""

    shown: float
    predicted: float
    observed: float


@dataclass(frozen=True)
class Reliability:
    """What was predicted beside what happened, in bins of equally many products, from the least likely up."""

    bins: tuple[Bin, ...]
    error: float
    """The expected calibration error: the mean over products of how far their bin's prediction was off."""

    def as_dict(self) -> dict[str, Any]:
        """Return the table as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, read: Mapping[str, Any]) -> "Reliability":
        """Return the table that `as_dict` wrote."""
        return cls(tuple(Bin(**values) for values in read["bins"]), read["error"])


def reliability(probability: Floats, reacted: Bools, weight: Floats, bins: int = BINS) -> Reliability:
    """Return predicted beside observed reactions, bin by bin; products of the same probability share a bin."""
    if not len(probability):
        return Reliability((), math.nan)
    order = np.argsort(probability, kind="stable")
    running = np.cumsum(weight[order])
    edges = probability[order][np.searchsorted(running, running[-1] * np.arange(1, bins) / bins)]
    number = np.searchsorted(np.unique(edges), probability, side="right")
    shown = np.bincount(number, weight)
    predicted = np.bincount(number, weight * probability)
    observed = np.bincount(number, weight * np.asarray(reacted))
    some = shown > 0
    table = tuple(
        Bin(float(n), float(p / n), float(o / n))
        for n, p, o in zip(shown[some], predicted[some], observed[some], strict=True)
    )
    return Reliability(table, float(np.abs(predicted - observed).sum() / shown.sum()))
