"""What the storefront shows in place of base lists: the rankings of the live batch, to buyers who are not control."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rankloop.state.rankings import Ranking
from rankloop_demo.simulator.lists import HOME, LONGEST, NO_PRODUCT, NO_SCORE, Lists
from rankloop_demo.simulator.market_day import MarketDay
from rankloop_demo.simulator.vocabulary import Floats, Ints
from rankloop_demo.simulator.world import FIRST_ACCOUNT_ID, FIRST_PRODUCT_ID, World


@dataclass(frozen=True)
class Rankings:
    """A row a buyer, in their order in the world; the products stand in a matrix padded with NO_PRODUCT, best first."""

    buyer: Ints
    policy: npt.NDArray[Any]
    products: Ints
    base_score: Floats

    def on_sale(self, market: MarketDay) -> "Rankings":
        """Return the rankings without products that are not on sale this day; empty rankings are dropped."""
        sold = (self.products != NO_PRODUCT) & market.on_sale[self.products]
        order = np.argsort(~sold, axis=1, kind="stable")[:, :LONGEST]
        sold = np.take_along_axis(sold, order, axis=1)
        products = np.where(sold, np.take_along_axis(self.products, order, axis=1), NO_PRODUCT)
        base_score = np.where(sold, np.take_along_axis(self.base_score, order, axis=1), NO_SCORE)
        some = sold.any(axis=1)
        return Rankings(self.buyer[some], self.policy[some], products[some], base_score[some])


def as_rankings(world: World, published: Iterable[Ranking]) -> Rankings:
    """Return published rankings by the world's row numbers, without products that the world does not have."""
    row_of = np.empty(len(world.products.id), dtype=np.int64)
    row_of[world.products.id - FIRST_PRODUCT_ID] = np.arange(len(row_of))
    buyers, policies, products, scores = [], [], [], []
    for ranking in sorted(published, key=lambda ranking: ranking.account_id):
        number = np.array(ranking.products, dtype=np.int64) - FIRST_PRODUCT_ID
        known = (number >= 0) & (number < len(row_of))
        buyers.append(ranking.account_id - FIRST_ACCOUNT_ID)
        policies.append(ranking.policy)
        products.append(row_of[number[known]])
        scores.append(np.array(ranking.base_scores, dtype=np.float64)[known])
    width = max((LONGEST, *map(len, products)))
    return Rankings(
        np.array(buyers, dtype=np.int64),
        np.array(policies, dtype=str),
        _padded(products, width, NO_PRODUCT, np.int64),
        _padded(scores, width, NO_SCORE, np.float64),
    )


def _padded(rows: list[Any], width: int, filler: float, kind: Any) -> npt.NDArray[Any]:  # noqa: ANN401  (a dtype)
    matrix = np.full((len(rows), width), filler, dtype=kind)
    for number, row in enumerate(rows):
        matrix[number, : len(row)] = row
    return matrix


def personalised(lists: Lists, rankings: Rankings, market: MarketDay) -> tuple[Lists, Ints]:
    """Return the lists with these buyers' home lists in the order of their rankings, and which lists those are.

    A list shows no more products than its base list would have shown.
    """
    rankings = rankings.on_sale(market)
    if not len(rankings.buyer):
        return lists, np.zeros(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(rankings.buyer, lists.buyer), len(rankings.buyer) - 1)
    chosen = np.flatnonzero((lists.surface == HOME) & (rankings.buyer[place] == lists.buyer))
    place = place[chosen]
    length = lists.shown[chosen].sum(axis=1)
    within = np.arange(LONGEST) < length[:, None]
    products, base_score = lists.products.copy(), lists.base_score.copy()
    products[chosen] = np.where(within, rankings.products[place], NO_PRODUCT)
    base_score[chosen] = np.where(within, rankings.base_score[place], NO_SCORE)
    policy = lists.policy.astype(object)
    policy[chosen] = rankings.policy[place]
    return replace(lists, products=products, base_score=base_score, policy=policy.astype(str)), chosen
