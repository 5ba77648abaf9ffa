"""What candidates are drawn from: the features as of a day, the products on sale, and what the shop thinks of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir

from rankloop.calendar import days_between
from rankloop.contracts.lake import EVENT_SCHEMAS, PRODUCTS, SHOWN
from rankloop.engine.protocol import Engine
from rankloop.features.build import lake_of
from rankloop.features.families import buyer, product
from rankloop.features.joining.sets import SHAPES, JoinError
from rankloop.settings import Settings
from rankloop.settings.scoring import ScoringSettings

ON_SALE = "active"
MILLIONTH = 1_000_000
GROUPS = 10
"""Buyers are in a group by the last digit of their id, as the marketplace's `baid_group` has it."""


@dataclass(frozen=True)
class Market:
    """One group of buyers, and all products on sale, as of the end of a day."""

    day: date
    settings: ScoringSettings
    buyers: ir.Table
    """`account_id` of every buyer of the group."""
    goods: ir.Table
    """The products on sale, with `base_score` and with `base_place`, 1 the best by it."""
    read: Callable[[str], ir.Table]
    """Gives a `features/*` table, of this group where it knows buyers."""
    materialise: Callable[[ir.Table], ir.Table]


def open_market(engine: Engine, settings: Settings, day: date, group: int) -> Market:
    """The market as of a day for a group of buyers."""
    lake = lake_of(settings)

    def read(table: str) -> ir.Table:
        rows = engine.read(lake.files(table, [day]), SHAPES[table].schema)
        return rows.filter(rows["account_id"] % GROUPS == group) if "account_id" in rows.columns else rows

    if day not in lake.days(product.TABLE.name):
        raise JoinError(f"there are no features as of {day}. Build them first: run daily_features for that day.")
    listed = engine.read(lake.files(PRODUCTS, [day]), EVENT_SCHEMAS[PRODUCTS])
    days = days_between(day - timedelta(days=settings.features.seen_days - 1), day)
    shown = engine.read(lake.files(SHOWN, days), EVENT_SCHEMAS[SHOWN])
    goods = engine.materialise(_goods(read(product.TABLE.name), listed, _base_scores(shown)))
    return Market(day, settings.scoring, read(buyer.TABLE.name).select("account_id"), goods, read, engine.materialise)


def _base_scores(shown: ir.Table) -> ir.Table:
    """What the shop thought of each product on the last days, over all its lists; in whole millionths, to be exact."""
    score = (shown["base_score"] * MILLIONTH).round().cast("int64")
    return shown.group_by("product_id").agg(score=score.sum(), times=shown.count())


def _goods(known: ir.Table, listed: ir.Table, thought: ir.Table) -> ir.Table:
    on_sale = listed.filter(listed["status"] == ON_SALE).select("product_id").distinct()
    goods = known.semi_join(on_sale, "product_id").left_join(thought, "product_id").drop("product_id_right")
    everywhere = thought["score"].sum().as_scalar() / thought["times"].sum().as_scalar()
    # A product that nobody was shown lately is to the shop what products are to it on average.
    mean = ibis.coalesce(goods["score"] / goods["times"], everywhere, 0.0)
    scored = goods.mutate(base_score=mean.round().cast("int64") / MILLIONTH).drop("score", "times")
    by_score = ibis.window(order_by=[ibis.desc("base_score"), "product_id"])
    return scored.mutate(base_place=ibis.row_number().over(by_score) + 1)
