"""What a buyer already did with this very product: seen, clicked, bought, how often, how recently."""

import ibis.expr.types as ir

from rankloop.contracts.lake import DAY
from rankloop.contracts.tables import FLOAT, INT, Column, TableSpec
from rankloop.features.declarations import ACCOUNT, PAIR_KEY, PRODUCT, Family, Feature, Lookup, TableBuilder
from rankloop.features.events import Events
from rankloop.features.history import AsOfTables, FeatureHistory
from rankloop.features.reactions import COUNTS, WEIGHT_UNIT, interaction_count, weighted_count
from rankloop.features.windows import DECAY_UNIT, days_since, decayed_sum, window_sum, with_age

DAILY = TableSpec(
    "daily/buyer_product",
    (ACCOUNT, PRODUCT),
    (*COUNTS, Column("units", INT, "pieces ordered"), Column("spent", INT, "dong ordered for")),
)

SEEN = (
    Feature(
        "pair_seen_1d", INT, "times the buyer was shown the product on the last day", 0, "count", counts_traffic=True
    ),
    Feature("pair_seen", INT, "times the buyer was shown the product in the last days (setting seen_days)", 0, "count"),
    Feature(
        "pair_days_since_seen", INT, "days since the buyer was last shown the product (setting seen_days)", None, "age"
    ),
)
DONE = (
    Feature("pair_weight", FLOAT, "the buyer's looks at it in 28 days, weighed by kind and decayed by age", 0, "score"),
    Feature("pair_looks_7d", INT, "the buyer's interactions with it in 7 days", 0, "count", counts_traffic=True),
    Feature("pair_looks_28d", INT, "the buyer's interactions with it in 28 days", 0, "count", counts_traffic=True),
    Feature("pair_clicks_28d", INT, "the buyer's clicks on it in 28 days", 0, "count", counts_traffic=True),
    Feature("pair_carts_28d", INT, "times the buyer put it into the cart in 28 days", 0, "count", counts_traffic=True),
    Feature("pair_orders_28d", INT, "the buyer's orders of it in 28 days", 0, "count", counts_traffic=True),
    Feature("pair_days_since_look", INT, "days since the buyer's last interaction with it", None, "age"),
    Feature("pair_days_since_order", INT, "days since the buyer last ordered it", None, "age"),
)
FEATURES = (*SEEN, *DONE)
TABLE = TableSpec("features/buyer_product", (ACCOUNT, PRODUCT), DONE)


def daily_buyer_product(events: Events) -> ir.Table:
    """Aggregate one day by buyer and product they reacted to."""
    pairs = events.pairs
    names = [column.name for column in DAILY.columns]
    return pairs.group_by(["account_id", "product_id"]).agg(**{name: pairs[name].sum() for name in names})


def buyer_product_features(history: FeatureHistory) -> ir.Table:
    """Compute the features of every product that a buyer reacted to in the window."""
    days, settings = history.daily(DAILY.name), history.settings
    seen = days.mutate(looks=interaction_count(days))
    weight = decayed_sum(seen, weighted_count(seen, settings.category_weights), settings.product_half_life)
    return seen.group_by(["account_id", "product_id"]).agg(
        pair_weight=weight / (WEIGHT_UNIT * DECAY_UNIT),
        pair_looks_7d=window_sum(seen, "looks", 7),
        pair_looks_28d=window_sum(seen, "looks", 28),
        pair_clicks_28d=window_sum(seen, "clicks", 28),
        pair_carts_28d=window_sum(seen, "carts", 28),
        pair_orders_28d=window_sum(seen, "orders", 28),
        pair_days_since_look=seen["age"].min(),
        pair_days_since_order=days_since(seen, seen["orders"] > 0),
    )


def _seen(known: AsOfTables) -> ir.Table:
    """Count how often the pairs of these rows were shown in the last days.

    Pairs shown are nearly as many as products shown, so they are counted only for the rows that ask, straight from
    the lists: as a table of their own they would be most of a day's cost and hardly ever read.
    """
    asked = known.lists.select("account_id", "product_id").distinct()
    shown = with_age(known.seen.select(DAY, "account_id", "product_id"), known.day)
    shown = shown.join(asked, ["account_id", "product_id"])
    return shown.group_by(["account_id", "product_id"]).agg(
        pair_seen_1d=shown.count(where=shown["age"] < 1),
        pair_seen=shown.count(),
        pair_days_since_seen=shown["age"].min(),
    )


FAMILY = Family(
    "buyer_product",
    __doc__,
    FEATURES,
    looked_up=(Lookup(_seen, PAIR_KEY, SEEN), Lookup(lambda known: known.read(TABLE.name), PAIR_KEY, DONE)),
    daily=TableBuilder(DAILY, daily_buyer_product),
    as_of=TableBuilder(TABLE, buyer_product_features),
)
