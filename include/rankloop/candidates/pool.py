"""The candidate pool: features as of a day, the products on sale, and the shop's own score of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir

from rankloop.calendar import days_between
from rankloop.contracts.lake import EVENT_SCHEMAS, PRODUCTS, SHOWN
from rankloop.engine.protocol import Engine
from rankloop.features.catalogue import AS_OF_SCHEMAS
from rankloop.features.families import buyer, product
from rankloop.features.joining.protocol import JoinError
from rankloop.lake.tables import Lake
from rankloop.settings.scoring import ScoringSettings

ON_SALE = "active"
MILLIONTH = 1_000_000
BUYER_SHARDS = 10
"""A buyer's shard is the last digit of the id, as the marketplace's `baid_group` has it."""


@dataclass(frozen=True)
class CandidatePool:
    """One shard of the buyers, and all products on sale, as of the end of a day."""

    day: date
    options: ScoringSettings
    buyers: ir.Table
    """`account_id` of every buyer of the shard."""
    products: ir.Table
    """The products on sale, with `base_score`, and with `base_place`, their rank by it."""
    read: Callable[[str], ir.Table]
    """Returns a `features/*` table; one with buyers only for this shard."""
    materialise: Callable[[ir.Table], ir.Table]


def open_candidate_pool(  # noqa: PLR0913, PLR0917  (what it reads, of when, for whom)
    engine: Engine, lake: Lake, day: date, shard: int, options: ScoringSettings, seen_days: int
) -> CandidatePool:
    """Return the pool of a day for one shard of the buyers; `base_score` is averaged over the last `seen_days`."""

    def read(table: str) -> ir.Table:
        rows = engine.read(lake.files(table, [day]), AS_OF_SCHEMAS[table])
        return rows.filter(rows["account_id"] % BUYER_SHARDS == shard) if "account_id" in rows.columns else rows

    if day not in lake.days(product.TABLE.name):
        raise JoinError(f"there are no features as of {day}. Build them first: run daily_features for that day.")
    catalogue = engine.read(lake.files(PRODUCTS, [day]), EVENT_SCHEMAS[PRODUCTS])
    days = days_between(day - timedelta(days=seen_days - 1), day)
    shown = engine.read(lake.files(SHOWN, days), EVENT_SCHEMAS[SHOWN])
    products = engine.materialise(_with_base_score(read(product.TABLE.name), catalogue, _base_scores(shown)))
    buyers = read(buyer.TABLE.name).select("account_id")
    return CandidatePool(day, options, buyers, products, read, engine.materialise)


def _base_scores(shown: ir.Table) -> ir.Table:
    """Return the sum and count of each product's `base_score` over all lists; in whole millionths, to be exact."""
    score = (shown["base_score"] * MILLIONTH).round().cast("int64")
    return shown.group_by("product_id").agg(score=score.sum(), times=shown.count())


def _with_base_score(features: ir.Table, catalogue: ir.Table, base_scores: ir.Table) -> ir.Table:
    on_sale = catalogue.filter(catalogue["status"] == ON_SALE).select("product_id").distinct()
    products = features.semi_join(on_sale, "product_id").left_join(base_scores, "product_id").drop("product_id_right")
    overall = base_scores["score"].sum().as_scalar() / base_scores["times"].sum().as_scalar()
    # A product that was not shown lately gets the average over all products.
    mean = ibis.coalesce(products["score"] / products["times"], overall, 0.0)
    scored = products.mutate(base_score=mean.round().cast("int64") / MILLIONTH).drop("score", "times")
    by_score = ibis.window(order_by=[ibis.desc("base_score"), "product_id"])
    return scored.mutate(base_place=ibis.row_number().over(by_score) + 1)
