"""Validates a written batch before anybody sees it: it is complete, and holds nothing that must not be shown."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow.compute as pc

from rankloop.candidates.generation import SOURCES
from rankloop.candidates.pool import ON_SALE
from rankloop.contracts.lake import PRODUCTS
from rankloop.features.families import buyer
from rankloop.lake.tables import Lake
from rankloop.mongo import Client
from rankloop.scoring.batch import BatchError
from rankloop.state import rankings
from rankloop.state.rankings import DEFAULT_BUYER, Ranking

MIN_SCORE_RANGE = 1e-9
"""If all scores of a batch differ by less, they rank nothing."""
LAST_VISIT = "buyer_days_since_visit"
"""Null for a buyer who was shown nothing and opened nothing within the days that features look back on."""


def validate_batch(state: Client, lake: Lake, name: str) -> dict[str, Any]:
    """Raise `BatchError` for a batch that must not be shown; else record what is in it, and return that."""
    batch = rankings.batch_by_name(state, name)
    catalogue = lake.read(PRODUCTS, [batch.day], ["product_id", "status"])
    on_sale = catalogue.filter(pc.equal(catalogue["status"], ON_SALE))["product_id"].to_numpy()
    buyers = lake.read(buyer.TABLE.name, [batch.day], ["account_id", LAST_VISIT])
    expected = {*buyers["account_id"].to_pylist(), DEFAULT_BUYER}
    check = _check_rankings(rankings.batch_rankings(state, batch), np.unique(on_sale), expected)
    if errors := check.errors():
        raise BatchError(
            f"the batch {name} must not be shown: {'; '.join(errors)}. Clear the task `rank` (or "
            "`plan`, if the catalogue is wrong) and what follows it. The live batch stays live."
        )
    facts = {**check.summary(), "without_history": buyers[LAST_VISIT].null_count}
    rankings.add_batch_facts(state, name, checked=facts)
    return facts


@dataclass
class BatchCheck:
    """What was counted in a batch."""

    missing: set[int]
    """Buyers without a ranking."""
    unknown_buyers: int = 0
    empty: int = 0
    with_duplicates: int = 0
    unavailable: int = 0
    rankings: int = 0
    products: int = 0
    lowest_score: float = np.inf
    highest_score: float = -np.inf
    sources: Counter[str] = field(default_factory=Counter)
    """The number of products in buyers' rankings by their sources, such as `base+shops`."""

    def errors(self) -> list[str]:
        """Return what is wrong, one clause each; empty for a valid batch."""
        examples = ", ".join(f"buyer {account}" for account in islice(sorted(self.missing), 3))
        flat = self.highest_score - self.lowest_score < MIN_SCORE_RANGE
        return [
            *([f"{len(self.missing):,} buyers have no ranking, such as {examples}"] if self.missing else []),
            *([f"{self.unknown_buyers:,} rankings are of unknown buyers"] if self.unknown_buyers else []),
            *([f"{self.empty:,} rankings are empty"] if self.empty else []),
            *([f"{self.with_duplicates:,} rankings hold a product twice"] if self.with_duplicates else []),
            *([f"{self.unavailable:,} products in rankings are not on sale"] if self.unavailable else []),
            *([f"all scores are {self.lowest_score:g}, so they rank nothing"] if self.products and flat else []),
        ]

    def summary(self) -> dict[str, Any]:
        """Return what is recorded with a valid batch."""
        return {
            "buyers": self.rankings - 1,
            "products": self.products,
            "lowest_score": self.lowest_score,
            "highest_score": self.highest_score,
            "sources": self.source_shares(),
        }

    def source_shares(self) -> dict[str, float]:
        """Return the share of recommended products that each source proposed; several may propose the same one."""
        total = max(self.sources.total(), 1)
        counts = {
            source.name: sum(count for names, count in self.sources.items() if source.name in names.split("+"))
            for source in SOURCES
        }
        return {name: round(count / total, 4) for name, count in counts.items()}


def _check_rankings(batch_rankings: Iterable[Ranking], on_sale: Any, expected: set[int]) -> BatchCheck:  # noqa: ANN401  (an array)
    check = BatchCheck(expected)
    for ranking in batch_rankings:
        products = np.asarray(ranking.products, dtype=np.int64)
        check.unknown_buyers += ranking.account_id not in check.missing
        check.missing.discard(ranking.account_id)
        check.rankings += 1
        check.products += len(products)
        check.empty += not len(products)
        check.with_duplicates += len(np.unique(products)) < len(products)
        check.unavailable += int(np.count_nonzero(~np.isin(products, on_sale)))
        # The default ranking has the shop's own scores, on another scale than a model's, and a single source.
        if len(products) and ranking.account_id != DEFAULT_BUYER:
            check.sources.update(ranking.sources)
            check.lowest_score = min(check.lowest_score, *ranking.scores)
            check.highest_score = max(check.highest_score, *ranking.scores)
    return check
