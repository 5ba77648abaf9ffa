"""One buyer's features as of a day, for a person to read."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.contracts.tables import Shape
from rankloop.engine.opening import open_engine
from rankloop.errors import RankloopError
from rankloop.features.build import lake_of
from rankloop.features.categories import TELLING
from rankloop.features.families import buyer, buyer_category, buyer_price, buyer_shop, buyer_word
from rankloop.settings import Settings

Rows = list[dict[str, Any]]
FIRST = 5


class UnknownBuyerError(RankloopError):
    """A buyer of whom nothing is known as of a day."""


@dataclass(frozen=True)
class Portrait:
    """What is known of a buyer, the weightiest first."""

    account_id: int
    day: date
    facts: dict[str, Any]
    """By feature of the buyer."""
    categories: dict[int, Rows]
    """By depth."""
    shops: Rows
    words: Rows
    prices: Rows


def portrait(settings: Settings, account_id: int, day: date) -> Portrait:
    """The buyer as of the end of the day."""
    lake = lake_of(settings)
    with open_engine(settings.features) as engine:

        def rows(shape: Shape) -> Rows:
            columns = pa.schema(field for field in shape.schema if field.name != DAY)
            table = engine.read(lake.files(shape.name, [day]), columns)
            mine: Rows = engine.batches(table.filter(table["account_id"] == account_id), columns).read_all().to_pylist()
            return mine

        facts = rows(buyer.TABLE)
        if not facts:
            days = lake.days(buyer.TABLE.name)
            known = f"features reach from {days[0]} to {days[-1]}" if days else "there are no features yet"
            raise UnknownBuyerError(f"nothing is known of buyer {account_id} as of {day}; {known}.")
        categories = _first(rows(buyer_category.TABLE), "rank", FIRST * 100)
        return Portrait(
            account_id=account_id,
            day=day,
            facts={feature.name: facts[0][feature.name] for feature in buyer.FEATURES},
            categories={depth: [row for row in categories if row["depth"] == depth][:FIRST] for depth in TELLING},
            shops=_first(rows(buyer_shop.TABLE), "buyer_shop_rank", FIRST),
            words=_first(rows(buyer_word.TABLE), "rank", FIRST * 2),
            prices=_first(rows(buyer_price.TABLE), "price_category_looks", FIRST, reverse=True),
        )


def _first(rows: Rows, by: str, count: int, *, reverse: bool = False) -> Rows:
    return sorted(rows, key=lambda row: row[by], reverse=reverse)[:count]
