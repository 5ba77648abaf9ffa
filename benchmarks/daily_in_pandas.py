"""The `daily/*` tables in idiomatic pandas: the lower half of the peer of `bench_features.py`."""

# ruff: noqa: PD010  (unstack is what one writes after a groupby)
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from rankloop.calendar import start_of
from rankloop.contracts.lake import PRODUCTS, REACTIONS, SHOWN
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings

KINDS = {"view": "views", "click": "clicks", "like_shop": "likes", "add_to_cart": "carts", "order": "orders"}
COUNTS = list(KINDS.values())
Files = Callable[[str, Sequence[date]], list[str]]
Tables = dict[str, pd.DataFrame]


def end_of(settings: Settings, day: date) -> object:
    """The instant at which the day is over."""
    return start_of(day + timedelta(days=1), settings.zone)


def goods_of(settings: Settings, files: Files, day: date) -> pd.DataFrame:
    """The day's products with the places of their prices."""
    products = pd.read_parquet(files(PRODUCTS, [day]))
    return price_places(products[age(products["created_at"], end_of(settings, day)) >= 0])


def age(instants: pd.Series, end: object) -> pd.Series:
    """Full days up to the end of the day."""
    return (end - instants.dt.floor("s")).dt.days


def price_places(products: pd.DataFrame) -> pd.DataFrame:
    """Price quartile and rank within the category, outliers beyond 1.5 IQR left out of the quartiles."""
    goods = products.assign(
        final_price=products["final_price"].clip(upper=10**11),
        original_price=products["original_price"].clip(upper=10**11),
    )
    quartiles = goods.groupby("category_path")["final_price"].quantile([0.25, 0.75]).unstack()
    spread = 1.5 * (quartiles[0.75] - quartiles[0.25])
    low = goods["category_path"].map(quartiles[0.25] - spread)
    high = goods["category_path"].map(quartiles[0.75] + spread)
    inside = goods[goods["final_price"].between(low, high)]
    edges = inside.groupby("category_path")["final_price"].quantile([0.25, 0.5, 0.75]).unstack()
    groups = goods.groupby("category_path")["final_price"]
    higher = [goods["final_price"] > goods["category_path"].map(edges[k]) for k in (0.25, 0.5, 0.75)]
    others = groups.transform("size") - 1
    cheaper = groups.rank(method="min").astype("int64") - 1
    return goods.assign(
        price_quartile=1 + sum(flag.astype("int64") for flag in higher),
        price_rank=np.where(others == 0, 500, cheaper * 1000 // others.clip(lower=1)),
        price_median=goods["category_path"].map(edges[0.5]),
    )


def aggregate(settings: Settings, files: Files, day: date, goods: pd.DataFrame) -> Tables:
    """Every `daily/*` table."""
    columns = ["request_id", "account_id", "product_id", "position"]
    shown = pd.read_parquet(files(SHOWN, [day]), columns=columns)
    reactions = pd.read_parquet(files(REACTIONS, [day]))
    pairs = reaction_pairs(reactions, goods, settings.features, end_of(settings, day))
    product = daily_product(shown, reactions, pairs)
    looks = pairs[COUNTS].sum(axis=1)
    leaf = pairs.assign(
        **{f"quartile{k}": looks.where(pairs["price_quartile"] == k, 0) for k in (1, 2, 3, 4)},
        ranks=looks * pairs["price_rank"],
    ).dropna(subset="category_path")
    leaf_columns = [*COUNTS, "quartile1", "quartile2", "quartile3", "quartile4", "ranks"]
    shop = product.merge(goods[["product_id", "shop_id"]], on="product_id")
    words = goods[["product_id"]].assign(word=goods["name"].str.lower().str.split()).explode("word")
    read = pairs[["account_id", "product_id"]].assign(looks=looks).merge(words, on="product_id")
    return {
        "daily/product": product,
        "daily/shop": shop.drop(columns="product_id").groupby("shop_id", as_index=False).sum(),
        "daily/buyer": daily_buyer(shown, pairs),
        "daily/buyer_category": leaf.groupby(["account_id", "category_path"], as_index=False)[leaf_columns].sum(),
        "daily/buyer_shop": pairs.groupby(["account_id", "shop_id"], as_index=False)[[*COUNTS, "spent"]].sum(),
        "daily/buyer_product": pairs.groupby(["account_id", "product_id"], as_index=False)[
            [*COUNTS, "units", "spent"]
        ].sum(),
        "daily/buyer_word": read.groupby(["account_id", "word"], as_index=False)["looks"].sum(),
    }


def reaction_pairs(
    reactions: pd.DataFrame, goods: pd.DataFrame, settings: FeatureSettings, end: object
) -> pd.DataFrame:
    """A row a buyer, product and shop: counts by kind, what was spent, and what the product was like."""
    keys = ["account_id", "product_id", "shop_id"]
    counts = reactions.groupby([*keys, "kind"]).size().unstack(fill_value=0).rename(columns=KINDS)
    orders = reactions[reactions["kind"] == "order"]
    orders = orders.assign(spent=orders["price"].clip(upper=10**11) * orders["quantity"], units=orders["quantity"])
    money = orders.groupby(keys)[["units", "spent"]].sum()
    pairs = counts.reindex(columns=COUNTS, fill_value=0).join(money).fillna({"units": 0, "spent": 0}).reset_index()
    known = goods[["product_id", "category_path", "price_quartile", "price_rank"]].assign(
        fresh=(age(goods["created_at"], end) < settings.fresh_days).astype("int64")
    )
    return pairs.astype({"units": "int64", "spent": "int64"}).merge(known, on="product_id", how="left")


def daily_product(shown: pd.DataFrame, reactions: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Shown, clicks expected of its positions, counts."""
    clicks = reactions.loc[
        (reactions["kind"] == "click") & reactions["request_id"].notna(), ["request_id", "product_id"]
    ]
    clicked = clicks.merge(shown, on=["request_id", "product_id"]).groupby("position").size()
    times = shown.groupby("position").size()
    rate = clicked.reindex(times.index, fill_value=0) * 1_000_000 // times
    seen = shown[["product_id"]].assign(expected=shown["position"].map(rate), shown=1)
    seen = seen.groupby("product_id")[["shown", "expected"]].sum()
    deeds = pairs.groupby("product_id")[[*COUNTS, "units", "spent"]].sum()
    return seen.join(deeds, how="outer").fillna(0).astype("int64").reset_index()


def daily_buyer(shown: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Lists and products shown, counts, and the prices looked at."""
    visits = shown.groupby("account_id").agg(lists=("request_id", "nunique"), shown=("request_id", "size"))
    looks = pairs[COUNTS].sum(axis=1)
    deeds = pairs.assign(
        priced=looks.where(pairs["price_rank"].notna(), 0),
        quartiles=looks * pairs["price_quartile"],
        ranks=looks * pairs["price_rank"],
        fresh=looks * pairs["fresh"],
    )
    columns = [*COUNTS, "units", "spent", "priced", "quartiles", "ranks", "fresh"]
    deeds = deeds.groupby("account_id")[columns].sum()
    return visits.join(deeds, how="outer").fillna(0).astype("int64").reset_index()
