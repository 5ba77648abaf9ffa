"""Who the buyer is, how active, how willing to spend, and where from."""

import ibis
import ibis.expr.types as ir

from rankloop.contracts.tables import FLOAT, INT, Column, TableSpec
from rankloop.features.declarations import ACCOUNT, Family, Feature, Lookup, TableBuilder
from rankloop.features.events import Events, age_in_days, happened_before_end
from rankloop.features.history import FeatureHistory
from rankloop.features.prices import PER_MILLE
from rankloop.features.reactions import COUNTS, interaction_count
from rankloop.features.windows import days_since, ratio, smoothed_rate, window_sum

DAILY = TableSpec(
    "daily/buyer",
    (ACCOUNT,),
    (
        Column("lists", INT, "lists shown"),
        Column("shown", INT, "products shown in them"),
        *COUNTS,
        Column("units", INT, "pieces ordered"),
        Column("spent", INT, "dong ordered for"),
        Column("priced", INT, "looks at products whose price has a place within its category"),
        Column("quartiles", INT, "sum over those looks of the price quartile"),
        Column("ranks", INT, "sum over those looks of the price rank, per mille"),
        Column("fresh", INT, "looks at products that were new"),
    ),
)

FEATURES = (
    Feature("buyer_lists_1d", INT, "lists the buyer was shown on the last day", 0, "count", counts_traffic=True),
    Feature("buyer_lists_7d", INT, "lists the buyer was shown in 7 days", 0, "count", counts_traffic=True),
    Feature("buyer_lists_28d", INT, "lists the buyer was shown in 28 days", 0, "count", counts_traffic=True),
    Feature("buyer_clicks_1d", INT, "products clicked on the last day", 0, "count", counts_traffic=True),
    Feature("buyer_clicks_7d", INT, "products clicked in 7 days", 0, "count", counts_traffic=True),
    Feature("buyer_clicks_28d", INT, "products clicked in 28 days", 0, "count", counts_traffic=True),
    Feature(
        "buyer_views_28d", INT, "product pages opened from outside a list in 28 days", 0, "count", counts_traffic=True
    ),
    Feature("buyer_likes_28d", INT, "shops liked in 28 days", 0, "count", counts_traffic=True),
    Feature("buyer_carts_1d", INT, "products put into the cart on the last day", 0, "count", counts_traffic=True),
    Feature("buyer_carts_7d", INT, "products put into the cart in 7 days", 0, "count", counts_traffic=True),
    Feature("buyer_carts_28d", INT, "products put into the cart in 28 days", 0, "count", counts_traffic=True),
    Feature("buyer_orders_1d", INT, "orders on the last day", 0, "count", counts_traffic=True),
    Feature("buyer_orders_7d", INT, "orders in 7 days", 0, "count", counts_traffic=True),
    Feature("buyer_orders_28d", INT, "orders in 28 days", 0, "count", counts_traffic=True),
    Feature(
        "buyer_active_days_28d",
        INT,
        "days of the last 28 on which a list was shown or a page opened",
        0,
        "count",
        counts_traffic=True,
    ),
    Feature("buyer_days_since_visit", INT, "days since the buyer was last seen, 28 days back at most", None, "age"),
    Feature("buyer_days_since_click", INT, "days since the last click, 28 days back at most", None, "age"),
    Feature("buyer_days_since_order", INT, "days since the last order, as the account knows it", None, "age"),
    Feature("buyer_ctr", FLOAT, "clicks by products shown in 28 days, smoothed towards all buyers", None, "ratio"),
    Feature(
        "buyer_cart_rate", FLOAT, "carts by clicks and views in 28 days, smoothed towards all buyers", None, "ratio"
    ),
    Feature("buyer_spent_28d", INT, "dong ordered for in 28 days", 0, "money", counts_traffic=True),
    Feature("buyer_order_value", FLOAT, "dong an order in 28 days", None, "money"),
    Feature(
        "buyer_spending_level", FLOAT, "mean price quartile of what was looked at, 1 cheap to 4 expensive", None, "rank"
    ),
    Feature(
        "buyer_price_rank", FLOAT, "mean price rank within its category of what was looked at, 0 to 1", None, "ratio"
    ),
    Feature("buyer_fresh_share", FLOAT, "share of new products in what was looked at", None, "ratio"),
    Feature("buyer_gender", FLOAT, "gender as the account says", None, "code", snapshot=True),
    Feature("buyer_city_id", INT, "city of the account's address", None, "code", snapshot=True),
    Feature(
        "buyer_city_rank",
        INT,
        "rank of the buyer's city by its number of buyers, 1 the largest",
        None,
        "rank",
        snapshot=True,
    ),
    Feature(
        "buyer_city_tier",
        INT,
        "tier of the buyer's city by its rank, 1 the largest cities",
        None,
        "code",
        snapshot=True,
    ),
    Feature("buyer_account_age", INT, "days since the account was opened", None, "age"),
    Feature("buyer_total_orders", FLOAT, "orders in the account's whole life", None, "count"),
    Feature(
        "buyer_cancel_share",
        FLOAT,
        "share of the orders in the account's whole life that were cancelled",
        None,
        "ratio",
    ),
    Feature("buyer_rating_share", FLOAT, "ratings given by order completed", None, "ratio"),
    Feature("buyer_email_verified", FLOAT, "1 if the e-mail address is verified", None, "flag"),
    Feature("buyer_phone_verified", FLOAT, "1 if the phone number is verified", None, "flag"),
)
TABLE = TableSpec("features/buyer", (ACCOUNT,), FEATURES)


def daily_buyer(events: Events) -> ir.Table:
    """Aggregate one day by buyer who was shown or did anything."""
    lists = events.shown.group_by(["account_id", "request_id"]).agg(shown=events.shown.count())
    visits = lists.group_by("account_id").agg(lists=lists.count(), shown=lists["shown"].sum())
    pairs = events.pairs
    seen = interaction_count(pairs)
    priced = pairs["price_rank"].notnull()
    deeds = pairs.group_by("account_id").agg(
        **{column.name: pairs[column.name].sum() for column in COUNTS},
        units=pairs["units"].sum(),
        spent=pairs["spent"].sum(),
        priced=seen.sum(where=priced),
        quartiles=(seen * pairs["price_quartile"]).sum(),
        ranks=(seen * pairs["price_rank"]).sum(),
        fresh=(seen * pairs["fresh"]).sum(),
    )
    both = visits.outer_join(deeds, "account_id")
    return both.select(
        account_id=ibis.coalesce(both["account_id"], both["account_id_right"]),
        **{column.name: both[column.name].fill_null(0) for column in DAILY.columns},
    )


def buyer_features(history: FeatureHistory) -> ir.Table:
    """Compute the features of every buyer with an account or with activity in the window."""
    activity, account = _activity(history), _account(history)
    both = account.outer_join(activity, "account_id")
    known = both.mutate(account_id=ibis.coalesce(both["account_id"], both["account_id_right"]))
    return known.select(
        "account_id",
        **{
            feature.name: known[feature.name].fill_null(0) if feature.unknown == 0 else known[feature.name]
            for feature in FEATURES
        },
    )


SUMMED = {
    "lists": (1, 7, 28),
    "clicks": (1, 7, 28),
    "carts": (1, 7, 28),
    "orders": (1, 7, 28),
    "views": (28,),
    "likes": (28,),
    "spent": (28,),
}
"""By column, the windows that it is summed over."""


def _activity(history: FeatureHistory) -> ir.Table:
    days = history.daily(DAILY.name)
    sums = days.group_by("account_id").agg(
        **{
            f"buyer_{name}_{window}d": window_sum(days, name, window)
            for name, windows in SUMMED.items()
            for window in windows
        },
        **{name: days[name].sum() for name in ("shown", "priced", "quartiles", "ranks", "fresh")},
        looked=interaction_count(days).sum(),
        buyer_active_days_28d=days.count(),
        buyer_days_since_visit=days["age"].min(),
        buyer_days_since_click=days_since(days, days["clicks"] > 0),
    )
    everybody = sums.aggregate(
        all_shown=sums["shown"].sum(),
        all_clicks=sums["buyer_clicks_28d"].sum(),
        all_opened=(sums["buyer_clicks_28d"] + sums["buyer_views_28d"]).sum(),
        all_carts=sums["buyer_carts_28d"].sum(),
    )
    both = sums.cross_join(everybody)
    clicks, opened = both["buyer_clicks_28d"], both["buyer_clicks_28d"] + both["buyer_views_28d"]
    rates = history.settings
    return both.mutate(
        buyer_ctr=smoothed_rate(clicks, both["shown"], ratio(both["all_clicks"], both["all_shown"]), rates.prior_shown),
        buyer_cart_rate=smoothed_rate(
            both["buyer_carts_28d"], opened, ratio(both["all_carts"], both["all_opened"]), rates.prior_clicks
        ),
        buyer_order_value=ratio(both["buyer_spent_28d"], both["buyer_orders_28d"]),
        buyer_spending_level=ratio(both["quartiles"], both["priced"]),
        buyer_price_rank=ratio(both["ranks"], both["priced"] * PER_MILLE),
        buyer_fresh_share=ratio(both["fresh"], both["looked"]),
    )


MOVING = (
    "total_order",
    "total_order_cancel",
    "total_order_complete",
    "total_rating",
    "latest_order_at",
    "email_verified",
    "is_otp_phone",
)
"""Fields that change with what a buyer does. Gender and address do not, and are taken from the snapshot."""


def _accounts_as_of(history: FeatureHistory) -> ir.Table:
    """Return the accounts without what may have changed after the day: a snapshot may be taken long after it."""
    buyers = history.buyers
    untouched = happened_before_end(buyers["updated_at"], history.day, history.zone) | buyers["updated_at"].isnull()
    return buyers.mutate(**{name: untouched.ifelse(buyers[name], ibis.null()) for name in MOVING})


def _account(history: FeatureHistory) -> ir.Table:
    buyers = _accounts_as_of(history).left_join(_cities(history), "address_city_id").drop("address_city_id_right")
    since_order = age_in_days(buyers["latest_order_at"], history.day, history.zone)
    return buyers.select(
        "account_id",
        buyer_gender=buyers["gender"],
        buyer_city_id=buyers["address_city_id"],
        buyer_city_rank=buyers["buyer_city_rank"],
        buyer_city_tier=buyers["buyer_city_tier"],
        # An account that does not say when it changed may know of a later order, which would be leakage.
        buyer_days_since_order=(since_order >= 0).ifelse(since_order, ibis.null()),
        buyer_account_age=age_in_days(buyers["created_at"], history.day, history.zone),
        buyer_total_orders=buyers["total_order"],
        buyer_cancel_share=ratio(buyers["total_order_cancel"], buyers["total_order"]),
        buyer_rating_share=ratio(buyers["total_rating"], buyers["total_order_complete"]),
        buyer_email_verified=buyers["email_verified"],
        buyer_phone_verified=buyers["is_otp_phone"],
    )


def _cities(history: FeatureHistory) -> ir.Table:
    """Rank cities by how many buyers live there, and give each the tier of its rank."""
    buyers = history.buyers.filter(history.buyers["address_city_id"].notnull())
    cities = buyers.group_by("address_city_id").agg(buyers=buyers.count())
    by_size = ibis.window(order_by=[ibis.desc("buyers"), "address_city_id"])
    ranked = cities.select("address_city_id", buyer_city_rank=ibis.row_number().over(by_size) + 1)
    tier = ibis.literal(1)
    for last in history.settings.city_tiers:
        tier = tier + (ranked["buyer_city_rank"] > last).ifelse(1, 0)
    return ranked.mutate(buyer_city_tier=tier)


FAMILY = Family(
    "buyer",
    __doc__,
    FEATURES,
    looked_up=(Lookup(lambda known: known.read(TABLE.name), {"account_id": "account_id"}, FEATURES),),
    daily=TableBuilder(DAILY, daily_buyer),
    as_of=TableBuilder(TABLE, buyer_features),
)
