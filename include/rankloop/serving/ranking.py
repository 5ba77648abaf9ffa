"""Ranks one list now: features of the newest day by `join_features`, scores by the model itself, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.scoring.ranker import Ranker
from rankloop.scoring.shelf import narrow
from rankloop.serving.day import LIST, Day


@dataclass(frozen=True)
class Asked:
    """A list to rank."""

    account_id: int
    surface: str
    at: datetime
    products: Sequence[int]
    base_scores: Sequence[float]

    def rows(self) -> pa.Table:
        """As lists are joined with features."""
        many = len(self.products)
        columns = {
            "request_id": ["q"] * many,
            "account_id": [self.account_id] * many,
            "product_id": self.products,
            "ts": [self.at] * many,
            "surface": [self.surface] * many,
            "base_score": self.base_scores,
        }
        return pa.table({field.name: pa.array(columns[field.name], field.type) for field in LIST}, schema=LIST)


@dataclass(frozen=True)
class Scored:
    """The list with its scores, in the order in which it was asked."""

    asked: Asked
    scores: npt.NDArray[np.float64]
    base_ranks: npt.NDArray[np.int64]
    ranker: Ranker
    day: date | None

    @property
    def order(self) -> list[int]:
        """The places in the list as asked, the best first; of equals the product with the lower number."""
        return _best_first(self.scores, self.asked.products)


def score(ranker: Ranker, day: Day | None, asked: Asked, within_s: float) -> Scored:
    """The list scored by this ranker; without a model, by the shop's own scores."""
    base_scores = np.asarray(asked.base_scores, np.float64)
    base_ranks = np.empty(len(base_scores), np.int64)
    base_ranks[_best_first(base_scores, asked.products)] = np.arange(1, len(base_scores) + 1)
    if ranker.model is None or day is None:
        return Scored(asked, base_scores, base_ranks, ranker, None)
    rows = features_of(ranker, day, asked, within_s)
    return Scored(asked, ranker.model.score(rows), base_ranks, ranker, day.day)


def features_of(ranker: Ranker, day: Day, asked: Asked, within_s: float) -> pa.RecordBatch:
    """The features that the model takes, as it was evaluated on them."""
    if ranker.model is None:
        raise AssertionError("the shop's own ranking has no features")
    [batch] = day.join(asked.rows(), within_s).combine_chunks().to_batches()
    return narrow(batch, ranker.model.features)


def _best_first(scores: npt.NDArray[np.float64], products: Sequence[int]) -> list[int]:
    order: list[int] = np.lexsort((np.asarray(products, np.int64), -scores)).tolist()
    return order
