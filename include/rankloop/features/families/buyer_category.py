"""Which categories a buyer favours, at each depth of the category path."""

import ibis
import ibis.expr.types as ir

from rankloop.contracts.tables import FLOAT, INT, TEXT, Column, TableSpec
from rankloop.features.categories import DEPTHS, DISTINCT_DEPTHS, LEVELS, path_prefix
from rankloop.features.declarations import ACCOUNT, CATEGORY, Family, Feature, Lookup, TableBuilder
from rankloop.features.events import Events
from rankloop.features.favourites import RANK_BEYOND, number_values, rank_favourites
from rankloop.features.history import AsOfTables, FeatureHistory
from rankloop.features.reactions import COUNTS, interaction_count, weighted_count
from rankloop.features.windows import decayed_sum, window_sum

DAILY = TableSpec(
    "daily/buyer_category",
    (ACCOUNT, CATEGORY),
    (
        *COUNTS,
        Column("quartile1", INT, "looks at products in the cheapest quarter of the category"),
        Column("quartile2", INT, "looks at products in its second quarter"),
        Column("quartile3", INT, "looks at products in its third quarter"),
        Column("quartile4", INT, "looks at products in its most expensive quarter"),
        Column("ranks", INT, "sum over looks of the price rank within the category, per mille"),
    ),
)

TABLE = TableSpec(
    "features/buyer_category",
    (
        ACCOUNT,
        Column("depth", INT, "how many ids of the path name the category"),
        Column("rank", INT, "rank among the buyer's categories at this depth, 1 the favourite"),
    ),
    (
        Column("category", TEXT, "the first ids of the path, as many as the depth"),
        Column("weight", FLOAT, "looks in 28 days, weighed by kind and decayed by age"),
        Column("share", FLOAT, "share of that in the buyer's weight at this depth"),
        Column("looks_7d", INT, "interactions of any kind in 7 days"),
        Column("orders_28d", INT, "orders in 28 days"),
        Column("days_since", INT, "days since the last interaction"),
    ),
)


def _features(depth: int) -> tuple[Feature, ...]:
    where = f"the product's category at depth {depth}"
    return (
        Feature(f"category{depth}_share", FLOAT, f"share of {where} in what the buyer favours", 0, "ratio"),
        Feature(f"category{depth}_rank", INT, f"rank of {where} among the buyer's favourites", RANK_BEYOND, "rank"),
        Feature(
            f"category{depth}_looks_7d",
            INT,
            f"the buyer's interactions in {where} in 7 days",
            0,
            "count",
            counts_traffic=True,
        ),
        Feature(
            f"category{depth}_orders_28d",
            INT,
            f"the buyer's orders in {where} in 28 days",
            0,
            "count",
            counts_traffic=True,
        ),
        Feature(f"category{depth}_days_since", INT, f"days since the buyer's last interaction in {where}", None, "age"),
    )


FEATURES = tuple(feature for depth in DISTINCT_DEPTHS for feature in _features(depth))


def daily_buyer_category(events: Events) -> ir.Table:
    """Aggregate one day by buyer and category of a product they reacted to."""
    pairs = events.pairs.filter(events.pairs["category_path"].notnull())
    seen = interaction_count(pairs)
    return pairs.group_by(["account_id", "category_path"]).agg(
        **{column.name: pairs[column.name].sum() for column in COUNTS},
        **{f"quartile{k}": seen.sum(where=pairs["price_quartile"] == k).fill_null(0) for k in (1, 2, 3, 4)},
        ranks=(seen * pairs["price_rank"]).sum(),
    )


def buyer_category_features(history: FeatureHistory) -> ir.Table:
    """Compute the favourites among the categories, at every depth, that a buyer reacted to in the window."""
    days = history.daily(DAILY.name)
    settings = history.settings
    paths = history.materialise(number_values(days, "category_path", "path"))
    categories = history.materialise(_categories(paths))
    seen = days.mutate(looks=interaction_count(days)).join(paths, "category_path")
    leaves = seen.group_by(["account_id", "path"]).agg(
        decayed=decayed_sum(seen, weighted_count(seen, settings.category_weights), settings.category_half_life),
        looks_7d=window_sum(seen, "looks", 7),
        orders_28d=window_sum(seen, "orders", 28),
        days_since=seen["age"].min(),
    )
    deep = leaves.join(categories.select("path", "depth", "number"), "path")
    grouped = deep.group_by(["account_id", "depth", "number"]).agg(
        **{name: deep[name].sum() for name in ("decayed", "looks_7d", "orders_28d")},
        days_since=deep["days_since"].min(),
    )
    best = rank_favourites(grouped, ["account_id", "depth"], "number")
    named = best.join(categories.select("number", "category").distinct(), "number")
    return named.select(*TABLE.keys, *(column.name for column in TABLE.columns))


def _categories(paths: ir.Table) -> ir.Table:
    """Return the category of each path at each depth that it reaches, with a number in the order of spelling."""
    ids = paths["category_path"].split("/")
    branches = ibis.union(
        *(
            paths.filter(ids.length() >= depth).select(
                "path",
                depth=ibis.literal(depth, type="int64"),
                category=path_prefix(paths["category_path"], depth),
            )
            for depth in DEPTHS
        )
    )
    return branches.join(number_values(branches, "category", "number"), "category")


def _at_depth(depth: int) -> Lookup:
    """Look up how much the buyer favours the product's category at a depth."""

    def read(known: AsOfTables) -> ir.Table:
        favourites = known.read(TABLE.name)
        here = favourites.filter(favourites["depth"] == depth)
        renamed = here.rename(
            {feature.name: feature.name.removeprefix(f"category{depth}_") for feature in _features(depth)}
        )
        rank = f"category{depth}_rank"
        return renamed.mutate(**{rank: ibis.least(renamed[rank], RANK_BEYOND)})

    return Lookup(read, {"account_id": "account_id", LEVELS[depth].name: "category"}, _features(depth))


FAMILY = Family(
    "buyer_category",
    __doc__,
    FEATURES,
    looked_up=tuple(_at_depth(depth) for depth in DISTINCT_DEPTHS),
    daily=TableBuilder(DAILY, daily_buyer_category),
    as_of=TableBuilder(TABLE, buyer_category_features),
)
