"""How a product sells: shown, clicked, bought, its price, its age and where it is heading."""

import ibis.expr.types as ir

from rankloop.contracts.tables import FLOAT, INT, TEXT, Column, TableSpec
from rankloop.features.categories import LEVELS, with_category_levels
from rankloop.features.declarations import CATEGORY, PRODUCT, SHOP, Family, Feature, Lookup, TableBuilder
from rankloop.features.events import Events, age_in_days
from rankloop.features.history import FeatureHistory
from rankloop.features.prices import PER_MILLE
from rankloop.features.reactions import COUNTS
from rankloop.features.windows import ratio, smoothed_rate, trend, window_sum

MILLIONTH = 1_000_000
DAILY = TableSpec(
    "daily/product",
    (PRODUCT,),
    (
        Column("shown", INT, "times shown"),
        Column("expected", INT, "clicks, in millionths, that its positions get from an average product"),
        *COUNTS,
        Column("units", INT, "pieces ordered"),
        Column("spent", INT, "dong ordered for"),
    ),
)

FEATURES = (
    Feature("product_price", INT, "final price in dong", None, "amount", snapshot=True),
    Feature("product_discount", FLOAT, "discount as a share of the original price", None, "ratio", snapshot=True),
    Feature("product_free_ship", INT, "1 if shipping is free", None, "flag", snapshot=True),
    Feature(
        "product_price_quartile",
        INT,
        "price quartile within its category, 1 cheap to 4 expensive",
        None,
        "rank",
        snapshot=True,
    ),
    Feature(
        "product_price_rank",
        FLOAT,
        "share of the other products of its category that are cheaper",
        None,
        "ratio",
        snapshot=True,
    ),
    Feature(
        "product_price_to_median", FLOAT, "price by the median price of its category", None, "amount", snapshot=True
    ),
    Feature("product_age", INT, "days since it entered the catalogue", None, "age"),
    Feature("product_shown_1d", INT, "times shown on the last day", 0, "count", counts_traffic=True),
    Feature("product_shown_7d", INT, "times shown in 7 days", 0, "count", counts_traffic=True),
    Feature("product_shown_28d", INT, "times shown in 28 days", 0, "count", counts_traffic=True),
    Feature("product_clicks_1d", INT, "clicks on the last day", 0, "count", counts_traffic=True),
    Feature("product_clicks_7d", INT, "clicks in 7 days", 0, "count", counts_traffic=True),
    Feature("product_clicks_28d", INT, "clicks in 28 days", 0, "count", counts_traffic=True),
    Feature("product_views_28d", INT, "views from outside a list in 28 days", 0, "count", counts_traffic=True),
    Feature("product_carts_28d", INT, "times put into a cart in 28 days", 0, "count", counts_traffic=True),
    Feature("product_orders_7d", INT, "orders in 7 days", 0, "count", counts_traffic=True),
    Feature("product_orders_28d", INT, "orders in 28 days", 0, "count", counts_traffic=True),
    Feature("product_units_28d", INT, "pieces ordered in 28 days", 0, "count", counts_traffic=True),
    Feature("product_ctr", FLOAT, "clicks by times shown in 28 days, smoothed towards its category", None, "ratio"),
    Feature(
        "product_ctr_7d",
        FLOAT,
        "clicks by times shown in 7 days, smoothed towards its 28 days",
        None,
        "ratio",
        counts_traffic=True,
    ),
    Feature(
        "product_clicks_to_expected", FLOAT, "clicks by what its positions promised in 28 days, smoothed", None, "ratio"
    ),
    Feature(
        "product_cart_rate", FLOAT, "carts by clicks and views in 28 days, smoothed towards all products", None, "ratio"
    ),
    Feature(
        "product_conversion",
        FLOAT,
        "orders by clicks and views in 28 days, smoothed towards all products",
        None,
        "ratio",
    ),
    Feature(
        "product_category_ctr", FLOAT, "clicks by times shown in 28 days of its whole category, smoothed", None, "ratio"
    ),
    Feature(
        "product_trend_clicks",
        FLOAT,
        "clicks a day in the last 7 days by those in the 21 before, smoothed",
        None,
        "ratio",
        counts_traffic=True,
    ),
    Feature(
        "product_trend_shown",
        FLOAT,
        "times shown a day in the last 7 days by those in the 21 before",
        None,
        "ratio",
        counts_traffic=True,
    ),
)
TABLE = TableSpec(
    "features/product", (PRODUCT,), (SHOP, CATEGORY, Column("name", TEXT, "the product's name"), *FEATURES)
)

COUNTED = ("shown", "expected", *(column.name for column in COUNTS), "units", "spent")


def daily_product(events: Events) -> ir.Table:
    """Aggregate one day by product that was shown or reacted to; shops are aggregated from it too."""
    return events.once(_counts)


def _counts(events: Events) -> ir.Table:
    shown, pairs = _shown(events), events.pairs
    deeds = pairs.group_by("product_id").agg(
        **{column.name: pairs[column.name].sum() for column in COUNTS},
        units=pairs["units"].sum(),
        spent=pairs["spent"].sum(),
    )
    both = shown.outer_join(deeds, "product_id")
    return both.select(
        product_id=both["product_id"].coalesce(both["product_id_right"]),
        **{column.name: both[column.name].fill_null(0) for column in DAILY.columns},
    )


def _shown(events: Events) -> ir.Table:
    """Count how often each product was shown, and the clicks that an average product gets in its positions.

    Position serves here to take its own effect out of the click counts, and nowhere else.
    """
    curve = events.materialise(_clicks_by_position(events))
    placed = events.shown.select("product_id", "position").left_join(curve, "position")
    return placed.group_by("product_id").agg(shown=placed.count(), expected=placed["rate"].sum().fill_null(0))


def _clicks_by_position(events: Events) -> ir.Table:
    """Return the day's CTR of each position over all lists, in millionths."""
    reactions, shown = events.reactions, events.shown
    clicks = reactions.filter((reactions["kind"] == "click") & reactions["request_id"].notnull())
    clicks = clicks.select("request_id", "product_id").join(
        shown.select("request_id", "product_id", "position"), ["request_id", "product_id"]
    )
    clicked = clicks.group_by("position").agg(clicks=clicks.count())
    times = shown.group_by("position").agg(times=shown.count())
    both = times.left_join(clicked, "position")
    return both.select("position", rate=both["clicks"].fill_null(0) * MILLIONTH // both["times"])


def product_features(history: FeatureHistory) -> ir.Table:
    """Compute the features of every product of the catalogue."""
    goods = history.goods
    counted = goods.left_join(_sums(history), "product_id").drop("product_id_right")
    sums = {name: counted[name].fill_null(0) for name in counted.columns if name not in goods.columns}
    rated = _rates(counted.mutate(**sums), history)
    return rated.select(
        "product_id",
        "shop_id",
        "category_path",
        "name",
        product_price=rated["final_price"],
        product_discount=1 - ratio(rated["final_price"], rated["original_price"]),
        product_free_ship=rated["is_free_ship"].ifelse(1, 0),
        product_price_quartile=rated["price_quartile"],
        product_price_rank=rated["price_rank"] / PER_MILLE,
        product_price_to_median=ratio(rated["final_price"] * 4, rated["price_median_x4"]),
        product_age=age_in_days(rated["created_at"], history.day, history.zone),
        **{feature.name: rated[feature.name] for feature in FEATURES[7:]},
    )


def _sums(history: FeatureHistory) -> ir.Table:
    days = history.daily(DAILY.name)
    counted = {"shown": (1, 7, 28), "clicks": (1, 7, 28), "orders": (7, 28), "views": (28,), "carts": (28,)}
    return days.group_by("product_id").agg(
        **{
            f"product_{column}_{window}d": window_sum(days, column, window)
            for column, windows in counted.items()
            for window in windows
        },
        product_units_28d=days["units"].sum(),
        expected=days["expected"].sum(),
        opened=(days["clicks"] + days["views"]).sum(),
    )


def _rates(counted: ir.Table, history: FeatureHistory) -> ir.Table:
    shown, clicks, opened = counted["product_shown_28d"], counted["product_clicks_28d"], counted["opened"]
    overall = {
        "all_shown": shown.sum(),
        "all_clicks": clicks.sum(),
        "all_opened": opened.sum(),
        "all_carts": counted["product_carts_28d"].sum(),
        "all_orders": counted["product_orders_28d"].sum(),
    }
    everything = counted.aggregate(**overall)
    categories = counted.group_by("category_path").agg(category_shown=shown.sum(), category_clicks=clicks.sum())
    t = counted.join(categories, "category_path").cross_join(everything)
    many_shown, many_clicks = history.settings.prior_shown, history.settings.prior_clicks
    t = t.mutate(
        product_category_ctr=smoothed_rate(
            t["category_clicks"], t["category_shown"], ratio(t["all_clicks"], t["all_shown"]), many_shown
        )
    )
    t = t.mutate(
        product_ctr=smoothed_rate(
            t["product_clicks_28d"], t["product_shown_28d"], t["product_category_ctr"], many_shown
        )
    )
    expected_from_prior = ratio(t["all_clicks"], t["all_shown"]) * (many_shown * MILLIONTH)
    earlier_clicks = t["product_clicks_28d"] - t["product_clicks_7d"]
    earlier_shown = t["product_shown_28d"] - t["product_shown_7d"]
    return t.mutate(
        product_ctr_7d=smoothed_rate(t["product_clicks_7d"], t["product_shown_7d"], t["product_ctr"], many_shown),
        product_clicks_to_expected=(t["product_clicks_28d"] * MILLIONTH + expected_from_prior)
        / (t["expected"] + expected_from_prior),
        product_cart_rate=smoothed_rate(
            t["product_carts_28d"], t["opened"], ratio(t["all_carts"], t["all_opened"]), many_clicks
        ),
        product_conversion=smoothed_rate(
            t["product_orders_28d"], t["opened"], ratio(t["all_orders"], t["all_opened"]), many_clicks
        ),
        product_trend_clicks=trend(t["product_clicks_7d"], earlier_clicks, history),
        product_trend_shown=trend(t["product_shown_7d"], earlier_shown, history),
    )


LOCATED = Lookup(
    lambda known: with_category_levels(known.read(TABLE.name)),
    {"product_id": "product_id"},
    (SHOP, CATEGORY, *LEVELS.values()),
)
"""The product's shop and category, which other families look up by."""
FAMILY = Family(
    "product",
    __doc__,
    FEATURES,
    looked_up=(Lookup(lambda known: known.read(TABLE.name), {"product_id": "product_id"}, FEATURES),),
    daily=TableBuilder(DAILY, daily_product),
    as_of=TableBuilder(TABLE, product_features),
    subject="the product",
)
