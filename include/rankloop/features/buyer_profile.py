"""One buyer's features as of a day, for a person to read."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.contracts.tables import TableSpec
from rankloop.engine.protocol import Engine
from rankloop.errors import RankloopError
from rankloop.features.categories import DISTINCT_DEPTHS
from rankloop.features.families import buyer, buyer_category, buyer_price, buyer_shop, buyer_word
from rankloop.lake.tables import Lake

Rows = list[dict[str, Any]]
FIRST = 5


class UnknownBuyerError(RankloopError):
    """A buyer of whom nothing is known as of a day."""


@dataclass(frozen=True)
class BuyerProfile:
    """A buyer's features, and favourites with the strongest first."""

    account_id: int
    day: date
    features: dict[str, Any]
    """By feature of the buyer."""
    categories: dict[int, Rows]
    """By depth."""
    shops: Rows
    words: Rows
    prices: Rows


def buyer_profile(lake: Lake, engine: Engine, account_id: int, day: date) -> BuyerProfile:
    """Return the buyer's features as of the end of the day, from the tables of the built-in families."""

    def rows(spec: TableSpec) -> Rows:
        columns = pa.schema(field for field in spec.schema if field.name != DAY)
        table = engine.read(lake.files(spec.name, [day]), columns)
        mine: Rows = engine.batches(table.filter(table["account_id"] == account_id), columns).read_all().to_pylist()
        return mine

    features = rows(buyer.TABLE)
    if not features:
        days = lake.days(buyer.TABLE.name)
        known = f"features reach from {days[0]} to {days[-1]}" if days else "there are no features yet"
        raise UnknownBuyerError(
            f"nothing is known of buyer {account_id} as of {day}; {known}. Check the id, or name another day by --day."
        )
    categories = _top(rows(buyer_category.TABLE), "rank", FIRST * 100)
    return BuyerProfile(
        account_id=account_id,
        day=day,
        features={feature.name: features[0][feature.name] for feature in buyer.FEATURES},
        categories={depth: [row for row in categories if row["depth"] == depth][:FIRST] for depth in DISTINCT_DEPTHS},
        shops=_top(rows(buyer_shop.TABLE), "buyer_shop_rank", FIRST),
        words=_top(rows(buyer_word.TABLE), "rank", FIRST * 2),
        prices=_top(rows(buyer_price.TABLE), "price_category_looks", FIRST, reverse=True),
    )


def _top(rows: Rows, by: str, count: int, *, reverse: bool = False) -> Rows:
    return sorted(rows, key=lambda row: row[by], reverse=reverse)[:count]
