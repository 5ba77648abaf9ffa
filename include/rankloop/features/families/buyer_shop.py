"""Which shops a buyer favours."""

import ibis
import ibis.expr.types as ir

from rankloop.contracts.tables import FLOAT, INT, Column, TableSpec
from rankloop.features.declarations import ACCOUNT, SHOP, Family, Feature, Lookup, TableBuilder
from rankloop.features.events import Events
from rankloop.features.favourites import RANK_BEYOND, rank_favourites
from rankloop.features.history import FeatureHistory
from rankloop.features.reactions import COUNTS, weighted_count
from rankloop.features.windows import decayed_sum, window_sum

DAILY = TableSpec("daily/buyer_shop", (ACCOUNT, SHOP), (*COUNTS, Column("spent", INT, "dong ordered for")))

FEATURES = (
    Feature("buyer_shop_weight", FLOAT, "looks at the shop in 28 days, weighed by kind and decayed by age", 0, "score"),
    Feature("buyer_shop_share", FLOAT, "share of the shop in what the buyer favours", 0, "ratio"),
    Feature("buyer_shop_rank", INT, "rank of the shop among the buyer's favourites", RANK_BEYOND, "rank"),
    Feature(
        "buyer_shop_clicks_7d", INT, "the buyer's clicks on its products in 7 days", 0, "count", counts_traffic=True
    ),
    Feature(
        "buyer_shop_clicks_28d", INT, "the buyer's clicks on its products in 28 days", 0, "count", counts_traffic=True
    ),
    Feature("buyer_shop_likes_28d", INT, "times the buyer liked it in 28 days", 0, "count", counts_traffic=True),
    Feature("buyer_shop_orders_28d", INT, "the buyer's orders there in 28 days", 0, "count", counts_traffic=True),
    Feature("buyer_shop_days_since", INT, "days since the buyer's last interaction with it", None, "age"),
)
TABLE = TableSpec("features/buyer_shop", (ACCOUNT, SHOP), FEATURES)


def daily_buyer_shop(events: Events) -> ir.Table:
    """Aggregate one day by buyer and shop."""
    pairs = events.pairs
    return pairs.group_by(["account_id", "shop_id"]).agg(
        **{column.name: pairs[column.name].sum() for column in COUNTS}, spent=pairs["spent"].sum()
    )


def buyer_shop_features(history: FeatureHistory) -> ir.Table:
    """Compute the favourites among the shops that a buyer interacted with in the window."""
    days, settings = history.daily(DAILY.name), history.settings
    shops = days.group_by(["account_id", "shop_id"]).agg(
        decayed=decayed_sum(days, weighted_count(days, settings.shop_weights), settings.shop_half_life),
        buyer_shop_clicks_7d=window_sum(days, "clicks", 7),
        buyer_shop_clicks_28d=window_sum(days, "clicks", 28),
        buyer_shop_likes_28d=window_sum(days, "likes", 28),
        buyer_shop_orders_28d=window_sum(days, "orders", 28),
        buyer_shop_days_since=days["age"].min(),
    )
    best = rank_favourites(shops, ["account_id"], "shop_id")
    best = best.mutate(rank=ibis.least(best["rank"], RANK_BEYOND))
    named = best.rename(buyer_shop_weight="weight", buyer_shop_share="share", buyer_shop_rank="rank")
    return named.select(*TABLE.keys, *(feature.name for feature in FEATURES))


FAMILY = Family(
    "buyer_shop",
    __doc__,
    FEATURES,
    looked_up=(
        Lookup(lambda known: known.read(TABLE.name), {"account_id": "account_id", "shop_id": "shop_id"}, FEATURES),
    ),
    daily=TableBuilder(DAILY, daily_buyer_shop),
    as_of=TableBuilder(TABLE, buyer_shop_features),
    subject="the buyer and the shop",
)
