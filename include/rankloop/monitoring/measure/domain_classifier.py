"""A domain classifier: how well a small model tells two samples apart, on buyers that it has not seen.

Its AUC is 0.5 if it guesses, and 1 if it is certain.

It is a logistic regression on where each value lies in the reference: its rank there, how far that is from the middle,
and whether it is unknown. Trees would know single products by their price and age, and so the day by them. Buyers are
in `BUYER_GROUPS` groups, the same on both sides, and no buyer is judged by a classifier that was shown any of that
buyer's rows; the interval is a jackknife over these groups, as the rows of a buyer resemble each other. Both sides
weigh the same, however many rows they have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from rankloop.monitoring.measure.value_bins import Column, Floats, ValueBins, shares_of
from rankloop.ranking.blocks import BUYER_GROUPS

Ints = npt.NDArray[np.int64]
FOLDS = 5
STRENGTH = 0.1
"""Inverse strength of the regularisation: strong enough that chance in some hundred columns does not count."""
Z = 1.96
FEWEST = 100
"""Rows of a sample below which there is no result."""


@dataclass(frozen=True)
class ClassifierSample:
    """Rows of one population as `rank_columns` makes them, the group of each row's buyer, and each row's weight."""

    values: Floats
    groups: Ints
    weights: Floats


@dataclass(frozen=True)
class ClassifierAuc:
    """The area under the ROC curve, and its confidence interval of 95 %."""

    auc: float
    low: float
    high: float
    rows: int


def rank_columns(all_bins: Sequence[ValueBins], references: Sequence[Floats], columns: Sequence[Column]) -> Floats:
    """Return three columns for each feature: rank in the reference, distance from the middle, missing."""
    made: list[Floats] = []
    for bins, counts, values in zip(all_bins, references, columns, strict=True):
        shares = np.nan_to_num(shares_of(counts[:-1]))
        middles = np.append(np.cumsum(shares) - shares / 2, 0.5)
        rank, unknown = middles[bins.cells(values)], np.isnan(values)
        made += [rank - 0.5, np.where(unknown, 0.0, np.abs(2 * rank - 1) - 0.5), unknown.astype(np.float64)]
    return np.stack(made, axis=1)


def domain_classifier_auc(reference: ClassifierSample, day: ClassifierSample) -> ClassifierAuc | None:
    """Return how well the classifier tells the samples apart; None where there are too few rows."""
    if min(len(reference.groups), len(day.groups)) < FEWEST:
        return None
    values, groups = np.concatenate([reference.values, day.values]), np.concatenate([reference.groups, day.groups])
    weights = np.concatenate([side.weights / side.weights.sum() for side in (reference, day)]) * len(groups) / 2
    label = np.repeat([0, 1], [len(reference.groups), len(day.groups)])
    probability = _guesses(values, label, weights, groups)
    jackknife = [
        float(roc_auc_score(label[k], probability[k], sample_weight=weights[k])) for k in _less_one(label, groups)
    ]
    auc = float(roc_auc_score(label, probability, sample_weight=weights))
    spread = float(np.sqrt((len(jackknife) - 1) * np.var(jackknife))) if jackknife else float("nan")
    return ClassifierAuc(auc, max(0.0, auc - Z * spread), min(1.0, auc + Z * spread), len(groups))


def _guesses(values: Floats, label: Ints, weights: Floats, groups: Ints) -> Floats:
    """Return each row's probability to be of the second sample, by a classifier trained without its group's fold."""
    guess, fold = np.full(len(label), 0.5), groups % FOLDS
    # So few rows are no work for threads, which would wait for each other beside other tasks.
    with threadpool_limits(1):
        for number in np.unique(fold):
            inside = fold != number
            if len(np.unique(label[inside])) > 1:
                model = LogisticRegression(C=STRENGTH, max_iter=200)
                model.fit(values[inside], label[inside], sample_weight=weights[inside])
                guess[~inside] = model.predict_proba(values[~inside])[:, 1]
    return guess


def _less_one(label: Ints, groups: Ints) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield a mask that leaves out one group of buyers, for each group that has any."""
    for group in range(BUYER_GROUPS):
        rest = groups != group
        if not rest.all() and len(np.unique(label[rest])) > 1:
            yield rest
