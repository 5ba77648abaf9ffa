"""Whether the product is as cheap or as expensive as what the buyer usually looks at in its category."""

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from rankloop.contracts.tables import FLOAT, INT, Column, TableSpec
from rankloop.features.declarations import ACCOUNT, CATEGORY, Family, Feature, Floats, Lookup, RowFeatures, TableBuilder
from rankloop.features.families import buyer_category
from rankloop.features.history import AsOfTables, FeatureHistory
from rankloop.features.prices import PER_MILLE
from rankloop.features.windows import ratio

QUARTILES = (1, 2, 3, 4)

USUAL = (
    Feature(
        "price_category_looks", INT, "the buyer's looks at prices in the product's category in 28 days", 0, "count"
    ),
    Feature(
        "price_usual_quartile",
        INT,
        "the middle price quartile of the looks in the category, 1 cheap to 4 expensive",
        None,
        "rank",
    ),
    Feature("price_usual_rank", FLOAT, "mean price rank of the looks in the category, 0 to 1", None, "ratio"),
)
AGAINST = (
    Feature(
        "price_quartile_share",
        FLOAT,
        "share of the looks in the category that were in the product's price quartile",
        None,
        "ratio",
    ),
    Feature(
        "price_quartile_gap", INT, "the product's price quartile less that of the looks in the category", None, "rank"
    ),
    Feature(
        "price_rank_gap",
        FLOAT,
        "how far the product's price rank is from that of the looks in the category",
        None,
        "ratio",
    ),
    Feature(
        "price_buyer_gap",
        FLOAT,
        "how far the product's price rank is from the buyer's mean price rank over all categories",
        None,
        "ratio",
    ),
)
FEATURES = (*USUAL, *AGAINST)
SHARES = tuple(Column(f"quartile{k}", INT, f"looks in price quartile {k}") for k in QUARTILES)
TABLE = TableSpec("features/buyer_price", (ACCOUNT, CATEGORY), (*USUAL, *SHARES))


def buyer_price_features(history: FeatureHistory) -> ir.Table:
    """Compute the prices each buyer looked at in each category in the window."""
    days = history.daily(buyer_category.DAILY.name)
    quarters = [f"quartile{k}" for k in QUARTILES]
    t = days.group_by(["account_id", "category_path"]).agg(
        ranks=days["ranks"].sum(), **{name: days[name].sum() for name in quarters}
    )
    up_to = [t[quarters[0]]]
    for name in quarters[1:]:
        up_to.append(up_to[-1] + t[name])
    looks = up_to[-1]
    # The first quarter at which half of the looks are reached.
    usual = 1 + sum(((reached * 2 < looks).ifelse(1, 0) for reached in up_to[:3]), start=ibis.literal(0))
    return t.select(
        "account_id",
        "category_path",
        price_category_looks=looks,
        price_usual_quartile=usual,
        price_usual_rank=ratio(t["ranks"], looks * PER_MILLE),
        **{name: t[name] for name in quarters},
    )


def price_expression(rows: ir.Table, _known: AsOfTables) -> ir.Table:
    """Add to each row how its price compares with its buyer's."""
    quartile = rows["product_price_quartile"]
    in_mine = quartile.cases(*((k, rows[f"quartile{k}"]) for k in QUARTILES))
    return rows.mutate(
        price_quartile_share=ratio(in_mine, rows["price_category_looks"]),
        price_quartile_gap=quartile - rows["price_usual_quartile"],
        price_rank_gap=(rows["product_price_rank"] - rows["price_usual_rank"]).abs(),
        price_buyer_gap=(rows["product_price_rank"] - rows["buyer_price_rank"]).abs(),
    )


def price_arrays(rows: pa.Table, _known: AsOfTables) -> dict[str, Floats]:
    """Return the same features for rows in memory."""
    column = {name: np.asarray(rows[name].to_numpy(), np.float64) for name in INPUTS}
    quartile, rank = column["product_price_quartile"], column["product_price_rank"]
    in_mine = np.select([quartile == k for k in QUARTILES], [column[f"quartile{k}"] for k in QUARTILES], np.nan)
    looks = column["price_category_looks"]
    return {
        "price_quartile_share": in_mine / np.where(looks == 0, np.nan, looks),
        "price_quartile_gap": quartile - column["price_usual_quartile"],
        "price_rank_gap": np.abs(rank - column["price_usual_rank"]),
        "price_buyer_gap": np.abs(rank - column["buyer_price_rank"]),
    }


OWN = Lookup(
    lambda known: known.read(TABLE.name),
    {"account_id": "account_id", "category_path": "category_path"},
    (*USUAL, *SHARES),
)
INPUTS = (
    "product_price_quartile",
    "product_price_rank",
    "buyer_price_rank",
    *(column.name for column in OWN.columns),
)
FAMILY = Family(
    "buyer_price",
    __doc__,
    FEATURES,
    looked_up=(OWN,),
    row_features=RowFeatures(price_expression, price_arrays, INPUTS),
    as_of=TableBuilder(TABLE, buyer_price_features),
)
