"""Products as the shop's catalogue knows them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from bson import Int64, ObjectId

from rankloop_demo.simulator.clock import clock, object_ids
from rankloop_demo.simulator.documents import ID, Document
from rankloop_demo.simulator.market_day import MarketDay
from rankloop_demo.simulator.scenarios import UNIT_BUG_FACTOR
from rankloop_demo.simulator.vocabulary import Floats, Ints
from rankloop_demo.simulator.world import FIRST_SHOP_ID, NO_WORD, World

PRODUCT = 4


def price_as_sent(world: World, market: MarketDay) -> tuple[Floats, Floats]:
    """Return each product's original and final price as the shops send them, including wrong units."""
    wrong = market.scenarios.wrong_unit(world, market.day)
    factor = np.where(wrong, 1 / UNIT_BUG_FACTOR, 1.0)
    return np.ceil(world.products.price * factor), np.ceil(market.price * factor)


def products_changed(world: World, market: MarketDay, before: MarketDay | None, products: Ints) -> tuple[Ints, Ints]:
    """Return those of these products that are new today, and those whose price or status changed since yesterday."""
    launch = market.scenarios.launches(world, market.day)[products]
    if before is None:
        return products[launch <= market.number], products[:0]
    listed_before = before.scenarios.launches(world, before.day)[products] <= before.number
    new = (launch <= market.number) & ~listed_before
    price, price_before = price_as_sent(world, market)[1], price_as_sent(world, before)[1]
    moved = (price != price_before) | (market.on_sale != before.on_sale)
    return products[new], products[moved[products] & listed_before]


def product_documents(world: World, market: MarketDay, zone: ZoneInfo, products: Ints) -> list[Document]:
    """Return one document a product, as it stands at the end of the day."""
    goods = world.products
    start = clock(world.first_day, zone).start_ms
    launch = market.scenarios.launches(world, market.day)[products]
    created = start + launch * 86_400_000 + products * 977 % 36_000 * 1000
    ids = object_ids(created, 0, 0, PRODUCT, products)
    original, final = (price[products].astype(np.int64).tolist() for price in price_as_sent(world, market))
    midnight = datetime.combine(world.first_day, datetime.min.time(), tzinfo=zone)
    return [
        {
            ID: ObjectId(ids[row].tobytes()),
            "product_id": Int64(goods.id[product]),
            "name": product_name(world, product),
            "category_path": world.words.path[goods.leaf[product]],
            "shop_id": Int64(FIRST_SHOP_ID + goods.shop[product]),
            "original_price": Int64(original[row]),
            "final_price": Int64(final[row]),
            "is_free_ship": bool(product % 3 == 0),
            "created_at": midnight + timedelta(days=int(launch[row]), seconds=int(product * 977 % 36_000)),
            "status": "active" if market.on_sale[product] else "inactive",
        }
        for row, product in enumerate(products.tolist())
    ]


def product_name(world: World, product: int) -> str:
    """Return a product's name: its words, joined by spaces."""
    return " ".join(world.words.words[word] for word in world.products.words[product] if word != NO_WORD)
