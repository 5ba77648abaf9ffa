"""The same daily aggregates and features in idiomatic pandas: the peer of `bench_features.py`.

Written as one would in a notebook that has to be fast: columns only where needed, `groupby`, `merge` and vectorised
arithmetic, no `apply` with a Python function a group. The same layers, so that it too pays for one day's events.
"""

# ruff: noqa: PLR2004  (windows are of 1, 7 and 28 days)
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from daily_in_pandas import COUNTS, KINDS, Files, Tables, age, aggregate, end_of, goods_of

from rankloop.contracts.lake import BUYERS
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings, Weights


def build_day(settings: Settings, day: date, files: Files, into: Path) -> None:
    """Aggregate the day, and make its features from it and from the `daily/*` that are there of the days before."""
    goods = goods_of(settings, files, day)
    daily = aggregate(settings, files, day, goods)
    for name, table in daily.items():
        save(table, into, name)
    before = {name: [pd.read_parquet(files(name, [then])) for then in days_before(settings, day)] for name in daily}
    history = {name: one_history([daily[name], *before[name]]) for name in daily}
    write_features(settings, day, files, history, into)


def build_day_from_events(settings: Settings, day: date, files: Files, into: Path) -> None:
    """Make the features from the events of all days of the window, a day at a time so that they fit the memory."""
    parts = [
        aggregate(settings, files, then, goods_of(settings, files, then)) for then in [day, *days_before(settings, day)]
    ]
    history = {name: one_history([part[name] for part in parts]) for name in parts[0]}
    write_features(settings, day, files, history, into)


def write_features(settings: Settings, day: date, files: Files, history: Tables, into: Path) -> None:
    """Each features table, into a Parquet file of the folder."""
    buyers, goods = pd.read_parquet(files(BUYERS, [day])), goods_of(settings, files, day)
    for name, table in features(settings.features, history, goods, buyers, end_of(settings, day)).items():
        save(table, into, name)


def days_before(settings: Settings, day: date) -> list[date]:
    """The other days of the window, newest first."""
    return [day - timedelta(days=back) for back in range(1, settings.features.window_days)]


def save(table: pd.DataFrame, into: Path, name: str) -> None:
    """As the lake would have it: compressed."""
    place = into / f"{name}.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(place, index=False, compression="zstd")


def one_history(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A daily table over the window, newest day first, with the age of each row."""
    return pd.concat([part.assign(age=number) for number, part in enumerate(parts)], ignore_index=True)


def features(
    settings: FeatureSettings, daily: Tables, goods: pd.DataFrame, buyers: pd.DataFrame, end: object
) -> Tables:
    """Every `features/*` table."""
    return {
        "features/product": product_features(settings, daily["daily/product"], goods, end),
        "features/shop": shop_features(settings, daily["daily/shop"], goods, end),
        "features/buyer": buyer_features(settings, daily["daily/buyer"], buyers, end),
        "features/buyer_category": category_features(settings, daily["daily/buyer_category"]),
        "features/buyer_shop": favourite_shops(settings, daily["daily/buyer_shop"]),
        "features/buyer_product": pair_features(settings, daily["daily/buyer_product"]),
        "features/buyer_word": important_words(settings, daily["daily/buyer_word"]),
        "features/buyer_price": usual_prices(daily["daily/buyer_category"]),
    }


def windows(daily: pd.DataFrame, key: str, columns: dict[str, Sequence[int]], prefix: str) -> pd.DataFrame:
    """Sums over windows, a column each."""
    parts = []
    for days in sorted({days for spans in columns.values() for days in spans}):
        names = [name for name, spans in columns.items() if days in spans]
        sums = daily[daily["age"] < days].groupby(key)[names].sum()
        parts.append(sums.rename(columns={name: f"{prefix}_{name}_{days}d" for name in names}))
    return pd.concat(parts, axis=1)


def weigh(daily: pd.DataFrame, weights: Weights, half_life: float) -> pd.Series:
    """Thousandths, decayed, as whole numbers."""
    milli = sum(daily[KINDS[kind]] * round(getattr(weights, kind) * 1000) for kind in KINDS)
    factors = np.array([round(2 ** (-back / half_life) * 65536) for back in range(28)])
    return milli * factors[daily["age"].to_numpy()]


def favourites(table: pd.DataFrame, within: list[str], name: str) -> pd.DataFrame:
    """Weight, share and rank."""
    table = table.sort_values([*within, "decayed", name], ascending=[True] * len(within) + [False, True])
    groups = table.groupby(within)
    return table.assign(
        weight=table["decayed"] / (1000 * 65536),
        share=(table["decayed"] / groups["decayed"].transform("sum").replace(0, np.nan)).fillna(0.0),
        rank=(groups.cumcount() + 1).clip(upper=100),
    )


def smoothed(part: pd.Series, whole: pd.Series, prior: pd.Series | float, strength: float) -> pd.Series:
    """A rate pulled towards the prior."""
    return (part + prior * strength) / (whole + strength)


def trend(daily: pd.DataFrame, last_week: pd.Series, earlier: pd.Series) -> pd.Series | float:
    """A day of the last week by one of the weeks before."""
    recent, before = min(daily["age"].max() + 1, 7), daily["age"].max() + 1 - 7
    return (last_week / recent + 0.5) / (earlier / before + 0.5) if before > 0 else 1.0


PRODUCT_WINDOWS = {
    "shown": (1, 7, 28),
    "clicks": (1, 7, 28),
    "orders": (7, 28),
    "views": (28,),
    "carts": (28,),
    "units": (28,),
}


def product_features(settings: FeatureSettings, daily: pd.DataFrame, goods: pd.DataFrame, end: object) -> pd.DataFrame:
    """As the catalogue of features says."""
    opened = daily["clicks"] + daily["views"]
    sums = windows(daily.assign(opened=opened), "product_id", PRODUCT_WINDOWS, "product")
    sums["expected"] = daily.groupby("product_id")["expected"].sum()
    t = goods.merge(sums.reset_index(), on="product_id", how="left")
    t[sums.columns] = t[sums.columns].fillna(0).astype("int64")
    t = t.assign(
        product_price=t["final_price"],
        product_discount=1 - t["final_price"] / t["original_price"],
        product_free_ship=t["is_free_ship"].astype("int64"),
        product_price_quartile=t["price_quartile"],
        product_price_rank=t["price_rank"] / 1000,
        product_price_to_median=t["final_price"] / t["price_median"],
        product_age=age(t["created_at"], end),
        product_trend_clicks=trend(daily, t["product_clicks_7d"], t["product_clicks_28d"] - t["product_clicks_7d"]),
        product_trend_shown=trend(daily, t["product_shown_7d"], t["product_shown_28d"] - t["product_shown_7d"]),
        **product_rates(settings, t),
    )
    features = [name for name in t if name.startswith("product_") and name != "product_id"]
    return t[["product_id", "shop_id", "category_path", "name", *features]].sort_values("product_id")


def product_rates(settings: FeatureSettings, t: pd.DataFrame) -> dict[str, pd.Series]:
    """How often a product is clicked, put into a cart and bought, drawn towards its category and the whole shop."""
    shown, clicks = t["product_shown_28d"], t["product_clicks_28d"]
    opened = clicks + t["product_views_28d"]
    ctr = clicks.sum() / shown.sum()
    groups = t.groupby("category_path")
    of_category = (groups[name].transform("sum") for name in ("product_clicks_28d", "product_shown_28d"))
    category = smoothed(*of_category, ctr, settings.prior_shown)
    product_ctr = smoothed(clicks, shown, category, settings.prior_shown)
    expected = ctr * (settings.prior_shown * 1_000_000)
    carts, orders = t["product_carts_28d"], t["product_orders_28d"]
    return {
        "product_ctr": product_ctr,
        "product_ctr_7d": smoothed(t["product_clicks_7d"], t["product_shown_7d"], product_ctr, settings.prior_shown),
        "product_clicks_to_expected": (clicks * 1_000_000 + expected) / (t["expected"] + expected),
        "product_cart_rate": smoothed(carts, opened, carts.sum() / opened.sum(), settings.prior_clicks),
        "product_conversion": smoothed(orders, opened, orders.sum() / opened.sum(), settings.prior_clicks),
        "product_category_ctr": category,
    }


def shop_features(settings: FeatureSettings, daily: pd.DataFrame, goods: pd.DataFrame, end: object) -> pd.DataFrame:
    """As the catalogue of features says."""
    sums = windows(
        daily, "shop_id", {"shown": (7, 28), "clicks": (7, 28), "likes": (28,), "orders": (28,), "views": (28,)}, "shop"
    )
    sums["expected"] = daily.groupby("shop_id")["expected"].sum()
    shops = goods.groupby("shop_id").agg(
        shop_products=("product_id", "size"),
        quartiles=("price_quartile", "sum"),
        final=("final_price", "sum"),
        original=("original_price", "sum"),
        first=("created_at", "min"),
    )
    t = shops.join(sums)
    t[sums.columns] = t[sums.columns].fillna(0).astype("int64")
    opened, ctr = t["shop_clicks_28d"] + t["shop_views_28d"], t["shop_clicks_28d"].sum() / t["shop_shown_28d"].sum()
    expected = ctr * (settings.prior_shown * 1_000_000)
    t = t.assign(
        shop_ctr=smoothed(t["shop_clicks_28d"], t["shop_shown_28d"], ctr, settings.prior_shown),
        shop_clicks_to_expected=(t["shop_clicks_28d"] * 1_000_000 + expected) / (t["expected"] + expected),
        shop_conversion=smoothed(
            t["shop_orders_28d"], opened, t["shop_orders_28d"].sum() / opened.sum(), settings.prior_clicks
        ),
        shop_discount=1 - t["final"] / t["original"],
        shop_price_level=t["quartiles"] / t["shop_products"],
        shop_age=age(t["first"], end),
        shop_trend_clicks=trend(daily, t["shop_clicks_7d"], t["shop_clicks_28d"] - t["shop_clicks_7d"]),
    )
    return t[[name for name in t if name.startswith("shop_") and name != "shop_views_28d"]].reset_index()


def buyer_features(settings: FeatureSettings, daily: pd.DataFrame, buyers: pd.DataFrame, end: object) -> pd.DataFrame:
    """As the catalogue of features says."""
    spans = dict.fromkeys(("lists", "clicks", "carts", "orders"), (1, 7, 28))
    sums = windows(daily, "account_id", {**spans, **dict.fromkeys(("views", "likes", "spent"), (28,))}, "buyer")
    sums = sums.fillna(0).astype("int64")
    groups = daily.groupby("account_id")
    more = groups[["shown", "priced", "quartiles", "ranks", "fresh", *COUNTS]].sum()
    clicks, opened = sums["buyer_clicks_28d"], sums["buyer_clicks_28d"] + sums["buyer_views_28d"]
    sums = sums.assign(
        buyer_active_days_28d=groups.size(),
        buyer_days_since_visit=groups["age"].min(),
        buyer_days_since_click=daily[daily["clicks"] > 0].groupby("account_id")["age"].min(),
        buyer_ctr=smoothed(clicks, more["shown"], clicks.sum() / more["shown"].sum(), settings.prior_shown),
        buyer_cart_rate=smoothed(
            sums["buyer_carts_28d"], opened, sums["buyer_carts_28d"].sum() / opened.sum(), settings.prior_clicks
        ),
        buyer_order_value=sums["buyer_spent_28d"] / sums["buyer_orders_28d"].replace(0, np.nan),
        buyer_spending_level=more["quartiles"] / more["priced"].replace(0, np.nan),
        buyer_price_rank=more["ranks"] / (more["priced"] * 1000).replace(0, np.nan),
        buyer_fresh_share=more["fresh"] / more[COUNTS].sum(axis=1).replace(0, np.nan),
    )
    t = account_features(settings, buyers[age(buyers["created_at"], end) >= 0], end)
    t = t.merge(sums.reset_index(), on="account_id", how="outer")
    counts = [name for name in sums if name.endswith("d") and "days_since" not in name]
    t[counts] = t[counts].fillna(0)
    return t.sort_values("account_id")


def account_features(settings: FeatureSettings, buyers: pd.DataFrame, end: object) -> pd.DataFrame:
    """What the account says."""
    cities = buyers.groupby("address_city_id").size().rename("count").reset_index()
    cities = cities.sort_values(["count", "address_city_id"], ascending=[False, True])
    rank = pd.Series(np.arange(1, len(cities) + 1), index=cities["address_city_id"])
    city_rank = buyers["address_city_id"].map(rank)
    untouched = buyers["updated_at"].isna() | (buyers["updated_at"] < end)
    moving = ["latest_order_at", "total_order", "total_order_cancel", "total_order_complete", "total_rating"]
    buyers = buyers.assign(**buyers[[*moving, "email_verified", "is_otp_phone"]].where(untouched))
    since = age(buyers["latest_order_at"], end)
    orders = buyers["total_order"]
    return pd.DataFrame(
        {
            "account_id": buyers["account_id"],
            "buyer_gender": buyers["gender"],
            "buyer_city_id": buyers["address_city_id"],
            "buyer_city_rank": city_rank,
            "buyer_city_tier": 1 + sum((city_rank > last).astype("int64") for last in settings.city_tiers),
            "buyer_days_since_order": since.where(since >= 0),
            "buyer_account_age": age(buyers["created_at"], end),
            "buyer_total_orders": orders,
            "buyer_cancel_share": buyers["total_order_cancel"] / orders.replace(0, np.nan),
            "buyer_rating_share": buyers["total_rating"] / buyers["total_order_complete"].replace(0, np.nan),
            "buyer_email_verified": buyers["email_verified"],
            "buyer_phone_verified": buyers["is_otp_phone"],
        }
    )


def category_features(settings: FeatureSettings, daily: pd.DataFrame) -> pd.DataFrame:
    """Favourite categories at each depth."""
    looks = daily[COUNTS].sum(axis=1)
    rows = daily[["account_id", "category_path", "age"]].assign(
        decayed=weigh(daily, settings.category_weights, settings.category_half_life),
        looks_7d=looks.where(daily["age"] < 7, 0),
        orders_28d=daily["orders"],
    )
    totals = {"decayed": "sum", "looks_7d": "sum", "orders_28d": "sum", "age": "min"}
    leaves = rows.groupby(["account_id", "category_path"], as_index=False).agg(totals)
    ids = leaves["category_path"].str.split("/")
    depths = []
    for depth in (1, 2, 3, 4):
        deep = leaves.assign(depth=depth, category=ids.str[:depth].str.join("/"))[ids.str.len() >= depth]
        depths.append(deep.groupby(["account_id", "depth", "category"], as_index=False).agg(totals))
    table = favourites(pd.concat(depths), ["account_id", "depth"], "category").rename(columns={"age": "days_since"})
    return table.drop(columns="decayed").sort_values(["account_id", "depth", "category"])


def favourite_shops(settings: FeatureSettings, daily: pd.DataFrame) -> pd.DataFrame:
    """Favourite shops."""
    rows = daily[["account_id", "shop_id"]].assign(
        decayed=weigh(daily, settings.shop_weights, settings.shop_half_life),
        clicks_7d=daily["clicks"].where(daily["age"] < 7, 0),
        clicks_28d=daily["clicks"],
        likes_28d=daily["likes"],
        orders_28d=daily["orders"],
        days_since=daily["age"],
    )
    totals = dict.fromkeys(("decayed", "clicks_7d", "clicks_28d", "likes_28d", "orders_28d"), "sum")
    table = rows.groupby(["account_id", "shop_id"], as_index=False).agg({**totals, "days_since": "min"})
    table = favourites(table, ["account_id"], "shop_id").drop(columns="decayed").sort_values(["account_id", "shop_id"])
    keys = ("account_id", "shop_id")
    return table.rename(columns={name: f"buyer_shop_{name}" for name in table if name not in keys})


def pair_features(settings: FeatureSettings, daily: pd.DataFrame) -> pd.DataFrame:
    """What a buyer did with a product."""
    looks = daily[COUNTS].sum(axis=1)
    rows = daily[["account_id", "product_id"]].assign(
        pair_weight=weigh(daily, settings.category_weights, settings.product_half_life),
        pair_looks_7d=looks.where(daily["age"] < 7, 0),
        pair_looks_28d=looks,
        pair_clicks_28d=daily["clicks"],
        pair_carts_28d=daily["carts"],
        pair_orders_28d=daily["orders"],
        pair_days_since_look=daily["age"],
        pair_days_since_order=daily["age"].where(daily["orders"] > 0),
    )
    totals = {name: "min" if "days" in name else "sum" for name in rows if name.startswith("pair_")}
    table = rows.groupby(["account_id", "product_id"], as_index=False).agg(totals)
    return table.assign(pair_weight=table["pair_weight"] / (1000 * 65536))


def important_words(settings: FeatureSettings, daily: pd.DataFrame) -> pd.DataFrame:
    """The most frequent words of each buyer."""
    counted = daily.groupby(["account_id", "word"], as_index=False)["looks"].sum()
    everybody = counted.groupby("word")["looks"].sum() * 1_000_000 // counted["looks"].sum()
    mine = counted.groupby("account_id")["looks"].transform("sum")
    counted = counted.assign(share=counted["looks"] * 1_000_000 // mine)
    counted = counted.sort_values(["account_id", "looks", "word"], ascending=[True, False, True])
    counted["rank"] = counted.groupby("account_id").cumcount() + 1
    top = counted[counted["rank"] <= settings.top_words]
    top = top.assign(surprise=top["share"] - top["word"].map(everybody))
    return top.sort_values(["account_id", "word"])


def usual_prices(daily: pd.DataFrame) -> pd.DataFrame:
    """The prices a buyer looks at in a category."""
    quarters = [f"quartile{k}" for k in (1, 2, 3, 4)]
    t = daily.groupby(["account_id", "category_path"], as_index=False)[[*quarters, "ranks"]].sum()
    up_to = t[quarters].cumsum(axis=1)
    looks = up_to["quartile4"]
    return t.assign(
        price_category_looks=looks,
        price_usual_quartile=1 + (up_to[quarters[:3]] * 2).lt(looks, axis=0).sum(axis=1),
        price_usual_rank=t["ranks"] / (looks * 1000).replace(0, np.nan),
    ).drop(columns="ranks")
