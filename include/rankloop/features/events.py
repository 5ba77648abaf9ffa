"""One day's events, from which the `daily/*` tables are computed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from rankloop.calendar import start_of
from rankloop.features.prices import add_price_position, clip_price
from rankloop.features.reactions import count_by_kind
from rankloop.settings.features import FeatureSettings

DAY_S = 86_400


def epoch_seconds(instant: ir.TimestampValue) -> ir.IntegerValue:
    """Return whole seconds since the epoch; engines round fractions differently."""
    return instant.truncate("s").epoch_seconds()


def age_in_days(instant: ir.TimestampValue, day: date, zone: ZoneInfo) -> ir.IntegerValue:
    """Return the full days from the instant to the end of the market day."""
    return (_end_of(day, zone) - epoch_seconds(instant)) // DAY_S


def happened_before_end(instant: ir.TimestampValue, day: date, zone: ZoneInfo) -> ir.BooleanValue:
    """Whether the instant lies before the end of the market day."""
    return epoch_seconds(instant) < _end_of(day, zone)


def _end_of(day: date, zone: ZoneInfo) -> int:
    return int(start_of(day + timedelta(days=1), zone).timestamp())


def created_by(snapshot: ir.Table, day: date, zone: ZoneInfo) -> ir.Table:
    """Return the rows of a snapshot that were created by the end of the day: one extracted later may hold more."""
    return snapshot.filter(happened_before_end(snapshot["created_at"], day, zone))


@dataclass(frozen=True)
class Events:
    """The cleaned events of one market day."""

    day: date
    zone: ZoneInfo
    settings: FeatureSettings
    shown: ir.Table
    reactions: ir.Table
    listed: ir.Table
    """The catalogue as it was when the day was extracted."""
    materialise: Callable[[ir.Table], ir.Table]
    """Has the engine work a small table out once, for all that read it."""
    _kept: dict[Callable[["Events"], ir.Table], ir.Table] = field(default_factory=dict)

    def once(self, make: Callable[["Events"], ir.Table]) -> ir.Table:
        """Return what a function computes from these events, materialised the first time."""
        if make not in self._kept:
            self._kept[make] = self.materialise(make(self))
        return self._kept[make]

    @cached_property
    def goods(self) -> ir.Table:
        """Return the day's products with the position of their price within their category."""
        products = created_by(self.listed, self.day, self.zone)
        fresh = age_in_days(products["created_at"], self.day, self.zone) < self.settings.fresh_days
        return self.materialise(
            add_price_position(products.mutate(fresh=fresh.ifelse(1, 0))).select(
                "product_id", "category_path", "shop_id", "name", "price_quartile", "price_rank", "fresh"
            )
        )

    @cached_property
    def pairs(self) -> ir.Table:
        """Return a row for each buyer and product: what the buyer did, and what the product was like."""
        reactions = self.reactions
        bought = reactions["kind"] == "order"
        counted = reactions.group_by(["account_id", "product_id", "shop_id"]).agg(
            **count_by_kind(reactions),
            units=reactions["quantity"].sum(where=bought).fill_null(0),
            spent=(clip_price(reactions["price"]) * reactions["quantity"]).sum(where=bought).fill_null(0),
        )
        return self.materialise(counted.left_join(self.goods.drop("shop_id"), "product_id").drop("product_id_right"))
