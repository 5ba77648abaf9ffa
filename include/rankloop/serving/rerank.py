"""Ranks one list now: features of the newest day from memory, scored by the model that evaluation scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.scoring.ranker import ActiveRanker
from rankloop.serving.feature_cache import LIST, DayCache


@dataclass(frozen=True)
class ListToRank:
    """One list, as a request gives it."""

    account_id: int
    surface: str
    at: datetime
    products: Sequence[int]
    base_scores: Sequence[float]

    def rows(self) -> pa.Table:
        """Return the list as rows that features can be joined to."""
        count = len(self.products)
        columns = {
            "request_id": ["q"] * count,
            "account_id": [self.account_id] * count,
            "product_id": self.products,
            "ts": [self.at] * count,
            "surface": [self.surface] * count,
            "base_score": self.base_scores,
        }
        return pa.table({field.name: pa.array(columns[field.name], field.type) for field in LIST}, schema=LIST)


@dataclass(frozen=True)
class RankedList:
    """A list with the score of each product, in the order of the request."""

    request: ListToRank
    scores: npt.NDArray[np.float64]
    base_ranks: npt.NDArray[np.int64]
    ranker: ActiveRanker
    day: date | None

    @property
    def order(self) -> list[int]:
        """The indices of the request's products, best first; equal scores are ordered by product id."""
        return _order(self.scores, self.request.products)


def rank_list(ranker: ActiveRanker, day: DayCache | None, request: ListToRank, timeout_s: float) -> RankedList:
    """Return the list with the ranker's scores; without a model, with the shop's own."""
    base_scores = np.asarray(request.base_scores, np.float64)
    base_ranks = np.empty(len(base_scores), np.int64)
    base_ranks[_order(base_scores, request.products)] = np.arange(1, len(base_scores) + 1)
    if ranker.model is None or day is None:
        return RankedList(request, base_scores, base_ranks, ranker, None)
    rows = model_inputs(ranker, day, request, timeout_s)
    return RankedList(request, ranker.model.score(rows), base_ranks, ranker, day.day)


def model_inputs(ranker: ActiveRanker, day: DayCache, request: ListToRank, timeout_s: float) -> pa.RecordBatch:
    """Return the features that the model takes, as it was evaluated on them."""
    if ranker.model is None:
        raise AssertionError("the base ranking takes no features")
    return day.join(request.rows(), timeout_s).select(list(ranker.model.features))


def _order(scores: npt.NDArray[np.float64], products: Sequence[int]) -> list[int]:
    order: list[int] = np.lexsort((np.asarray(products, np.int64), -scores)).tolist()
    return order
