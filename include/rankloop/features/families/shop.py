"""How a shop sells: its clicks, orders and likes, its prices, its age and where it is heading."""

import ibis.expr.types as ir

from rankloop.contracts.tables import FLOAT, INT, Column, TableSpec
from rankloop.features.declarations import SHOP, Family, Feature, Lookup, TableBuilder
from rankloop.features.events import Events, age_in_days
from rankloop.features.families import product
from rankloop.features.history import FeatureHistory
from rankloop.features.reactions import COUNTS
from rankloop.features.windows import ratio, smoothed_rate, trend, window_sum

DAILY = TableSpec(
    "daily/shop",
    (SHOP,),
    (
        Column("shown", INT, "times its products were shown"),
        Column("expected", INT, "clicks, in millionths, that their positions get from average products"),
        *COUNTS,
        Column("units", INT, "pieces ordered"),
        Column("spent", INT, "dong ordered for"),
    ),
)

FEATURES = (
    Feature("shop_products", INT, "products in the catalogue", 0, "count", snapshot=True),
    Feature("shop_shown_7d", INT, "times its products were shown in 7 days", 0, "count", counts_traffic=True),
    Feature("shop_shown_28d", INT, "times its products were shown in 28 days", 0, "count", counts_traffic=True),
    Feature("shop_clicks_7d", INT, "clicks on its products in 7 days", 0, "count", counts_traffic=True),
    Feature("shop_clicks_28d", INT, "clicks on its products in 28 days", 0, "count", counts_traffic=True),
    Feature("shop_likes_28d", INT, "times it was liked in 28 days", 0, "count", counts_traffic=True),
    Feature("shop_orders_28d", INT, "orders of its products in 28 days", 0, "count", counts_traffic=True),
    Feature("shop_ctr", FLOAT, "clicks by times shown in 28 days, smoothed towards all shops", None, "ratio"),
    Feature(
        "shop_clicks_to_expected", FLOAT, "clicks by what its products' positions promised in 28 days", None, "ratio"
    ),
    Feature(
        "shop_conversion", FLOAT, "orders by clicks and views in 28 days, smoothed towards all shops", None, "ratio"
    ),
    Feature("shop_discount", FLOAT, "discount over its whole catalogue", None, "ratio", snapshot=True),
    Feature(
        "shop_price_level",
        FLOAT,
        "mean price quartile of its products, 1 cheap to 4 expensive",
        None,
        "rank",
        snapshot=True,
    ),
    Feature("shop_age", INT, "days since its first product entered the catalogue", None, "age"),
    Feature(
        "shop_trend_clicks",
        FLOAT,
        "clicks a day in the last 7 days by those in the 21 before, smoothed",
        None,
        "ratio",
        counts_traffic=True,
    ),
)
TABLE = TableSpec("features/shop", (SHOP,), FEATURES)


def daily_shop(events: Events) -> ir.Table:
    """Aggregate one day by shop: its products, and its likes."""
    goods = product.daily_product(events).join(events.goods, "product_id")
    names = [column.name for column in DAILY.columns]
    return goods.group_by("shop_id").agg(**{name: goods[name].sum() for name in names})


def shop_features(history: FeatureHistory) -> ir.Table:
    """Compute the features of every shop with a product in the catalogue."""
    goods = history.goods
    shops = goods.group_by("shop_id").agg(
        shop_products=goods.count(),
        quartiles=goods["price_quartile"].sum(),
        final=goods["final_price"].sum(),
        original=goods["original_price"].sum(),
        shop_age=age_in_days(goods["created_at"].min(), history.day, history.zone),
    )
    counted = shops.left_join(_sums(history), "shop_id").drop("shop_id_right")
    sums = {name: counted[name].fill_null(0) for name in counted.columns if name not in shops.columns}
    t = _with_everything(counted.mutate(**sums))
    settings, prior = history.settings, ratio(t["all_clicks"], t["all_shown"])
    expected = prior * (settings.prior_shown * product.MILLIONTH)
    rated = t.mutate(
        shop_ctr=smoothed_rate(t["shop_clicks_28d"], t["shop_shown_28d"], prior, settings.prior_shown),
        shop_clicks_to_expected=(t["shop_clicks_28d"] * product.MILLIONTH + expected) / (t["expected"] + expected),
        shop_conversion=smoothed_rate(
            t["shop_orders_28d"], t["opened"], ratio(t["all_orders"], t["all_opened"]), settings.prior_clicks
        ),
        shop_discount=1 - ratio(t["final"], t["original"]),
        shop_price_level=ratio(t["quartiles"], t["shop_products"]),
        shop_trend_clicks=trend(t["shop_clicks_7d"], t["shop_clicks_28d"] - t["shop_clicks_7d"], history),
    )
    return rated.select("shop_id", *(feature.name for feature in FEATURES))


def _sums(history: FeatureHistory) -> ir.Table:
    days = history.daily(DAILY.name)
    counted = {"shown": (7, 28), "clicks": (7, 28), "likes": (28,), "orders": (28,)}
    return days.group_by("shop_id").agg(
        **{
            f"shop_{column}_{window}d": window_sum(days, column, window)
            for column, windows in counted.items()
            for window in windows
        },
        expected=days["expected"].sum(),
        opened=(days["clicks"] + days["views"]).sum(),
    )


def _with_everything(counted: ir.Table) -> ir.Table:
    return counted.cross_join(
        counted.aggregate(
            all_shown=counted["shop_shown_28d"].sum(),
            all_clicks=counted["shop_clicks_28d"].sum(),
            all_orders=counted["shop_orders_28d"].sum(),
            all_opened=counted["opened"].sum(),
        )
    )


FAMILY = Family(
    "shop",
    __doc__,
    FEATURES,
    looked_up=(Lookup(lambda known: known.read(TABLE.name), {"shop_id": "shop_id"}, FEATURES),),
    daily=TableBuilder(DAILY, daily_shop),
    as_of=TableBuilder(TABLE, shop_features),
    subject="the shop",
)
