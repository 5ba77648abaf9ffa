"""One day's events, as the `daily/*` tables are made from them: that day's and no other's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from rankloop.calendar import start_of
from rankloop.features.prices import with_price_place, within_reason
from rankloop.features.reactions import count_by_kind
from rankloop.settings.features import FeatureSettings

DAY_S = 86_400


def second(instant: ir.TimestampValue) -> ir.IntegerValue:
    """Whole seconds since the epoch; engines differ on what becomes of the rest."""
    return instant.truncate("s").epoch_seconds()


def age_in_days(instant: ir.TimestampValue, day: date, zone: ZoneInfo) -> ir.IntegerValue:
    """Full days from the instant to the end of the market day."""
    return (_end_of(day, zone) - second(instant)) // DAY_S


def happened_by(instant: ir.TimestampValue, day: date, zone: ZoneInfo) -> ir.BooleanValue:
    """Whether the instant lies before the end of the market day."""
    return second(instant) < _end_of(day, zone)


def _end_of(day: date, zone: ZoneInfo) -> int:
    return int(start_of(day + timedelta(days=1), zone).timestamp())


def existing(snapshot: ir.Table, day: date, zone: ZoneInfo) -> ir.Table:
    """The rows of a snapshot that were created by the end of the day: one extracted later may hold more."""
    return snapshot.filter(happened_by(snapshot["created_at"], day, zone))


@dataclass(frozen=True)
class Events:
    """The cleaned events of one market day."""

    day: date
    zone: ZoneInfo
    settings: FeatureSettings
    shown: ir.Table
    reactions: ir.Table
    listed: ir.Table
    """The catalogue as it stood when the day was extracted."""
    materialise: Callable[[ir.Table], ir.Table]
    """Has the engine work a small table out once, for all that read it."""
    _kept: dict[Callable[["Events"], ir.Table], ir.Table] = field(default_factory=dict)

    def once(self, make: Callable[["Events"], ir.Table]) -> ir.Table:
        """What this function makes of these events, worked out the first time it is asked for."""
        if make not in self._kept:
            self._kept[make] = self.materialise(make(self))
        return self._kept[make]

    @cached_property
    def goods(self) -> ir.Table:
        """The day's products with the place of their price within their category."""
        products = existing(self.listed, self.day, self.zone)
        fresh = age_in_days(products["created_at"], self.day, self.zone) < self.settings.fresh_days
        return self.materialise(
            with_price_place(products.mutate(fresh=fresh.ifelse(1, 0))).select(
                "product_id", "category_path", "shop_id", "name", "price_quartile", "price_rank", "fresh"
            )
        )

    @cached_property
    def pairs(self) -> ir.Table:
        """What each buyer did to each product, and what the product was like: a row a buyer and product."""
        reactions = self.reactions
        bought = reactions["kind"] == "order"
        counted = reactions.group_by(["account_id", "product_id", "shop_id"]).agg(
            **count_by_kind(reactions),
            units=reactions["quantity"].sum(where=bought).fill_null(0),
            spent=(within_reason(reactions["price"]) * reactions["quantity"]).sum(where=bought).fill_null(0),
        )
        return self.materialise(counted.left_join(self.goods.drop("shop_id"), "product_id").drop("product_id_right"))
