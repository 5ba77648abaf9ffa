"""Which products a buyer's ranking is made from, a function a source; each candidate remembers where it came from.

A source gives pairs of buyer and product with a `place`, 1 the one it would name first. The best placed of all sources
together are kept, so that every source has its say. Nothing depends on the order of rows, nor on real chance.
"""

from collections.abc import Callable
from typing import NamedTuple

import ibis
import ibis.expr.types as ir

from rankloop.candidates.market import Market
from rankloop.features.categories import DEPTHS
from rankloop.features.families import buyer_category, buyer_product, buyer_shop, buyer_word
from rankloop.features.families.buyer_word import words

PAIR = ("account_id", "product_id")
FAVOURITE_CATEGORIES, FAVOURITE_SHOPS, FAVOURITE_WORDS = 6, 5, 8
OF_CATEGORY, OF_SHOP, OF_WORD = 15, 10, 8
LOOKED_AT, RISING = 40, 20
LEAF = DEPTHS[-1]
FEW_CLICKS = 3
"""Fewer in a week say nothing of where a product is heading."""
BUYERS_APART, DAYS_APART, DRAWS_APART, PRIME = 7_919, 104_729, 611_953, 1_000_003
"""Large primes: what is drawn for one buyer on one day says nothing of another buyer, day or draw."""


class Source(NamedTuple):
    """Where candidates come from."""

    name: str
    meaning: str
    draw: Callable[[Market], ir.Table]


def base(market: Market) -> ir.Table:
    """What the shop ranks highest, for everybody."""
    best = market.goods.filter(market.goods["base_place"] <= market.settings.candidates // 2)
    pairs = market.buyers.cross_join(best)
    return pairs.select(*PAIR, place=pairs["base_place"])


def categories(market: Market) -> ir.Table:
    """What sells best in the categories that the buyer favours."""
    liked = market.read(buyer_category.TABLE.name)
    liked = liked.filter((liked["depth"] == LEAF) & (liked["rank"] <= FAVOURITE_CATEGORIES))
    return _of_favourites(
        liked.select("account_id", "rank", key="category"), _best(market, "category_path", OF_CATEGORY)
    )


def shops(market: Market) -> ir.Table:
    """What sells best in the shops that the buyer favours."""
    liked = market.read(buyer_shop.TABLE.name)
    liked = liked.filter(liked["buyer_shop_rank"] <= FAVOURITE_SHOPS)
    liked = liked.select("account_id", rank="buyer_shop_rank", key="shop_id")
    return _of_favourites(liked, _best(market, "shop_id", OF_SHOP))


def looked(market: Market) -> ir.Table:
    """What the buyer looked at lately."""
    pairs = market.read(buyer_product.TABLE.name).semi_join(market.goods, "product_id")
    first = ibis.window(group_by="account_id", order_by=[ibis.desc("pair_weight"), "product_id"])
    placed = pairs.select(*PAIR, place=ibis.row_number().over(first) + 1)
    return placed.filter(placed["place"] <= LOOKED_AT)


def alike(market: Market) -> ir.Table:
    """What sells best among products whose names hold words that are the buyer's own rather than everybody's."""
    said = market.read(buyer_word.TABLE.name)
    first = ibis.window(group_by="account_id", order_by=[ibis.desc("surprise"), "rank"])
    own = said.filter(said["surprise"] > 0).mutate(rank=ibis.row_number().over(first) + 1)
    own = own.filter(own["rank"] <= FAVOURITE_WORDS)
    named = words(market.goods).join(market.goods.select("product_id", *_BEST_BY), "product_id")
    best = _placed(named, "word", OF_WORD)
    return _of_favourites(own.select("account_id", "rank", key="word"), best)


def rising(market: Market) -> ir.Table:
    """What gets more clicks than it used to, for everybody."""
    goods = market.goods.filter(market.goods["product_clicks_7d"] >= FEW_CLICKS)
    first = ibis.window(order_by=[ibis.desc("product_trend_clicks"), "product_id"])
    placed = goods.select("product_id", place=ibis.row_number().over(first) + 1)
    pairs = market.buyers.cross_join(placed.filter(placed["place"] <= RISING))
    return pairs.select(*PAIR, "place")


def explore(market: Market) -> ir.Table:
    """Products drawn by chance, so that those nobody knows yet get seen; another day draws others."""
    by_id = ibis.window(order_by="product_id")
    numbered = market.goods.select("product_id", number=ibis.row_number().over(by_id))
    buyer, day = market.buyers["account_id"] % PRIME, market.day.toordinal()
    draws = market.buyers.mutate(draw=ibis.range(0, market.settings.explore).unnest(), start=buyer * BUYERS_APART)
    count = market.goods.count().as_scalar()
    drawn = draws.mutate(number=(draws["start"] + day * DAYS_APART + draws["draw"] * DRAWS_APART) % count)
    return drawn.join(numbered, "number").select(*PAIR, place=drawn["draw"] + 1)


SOURCES = tuple(
    Source(draw.__name__, (draw.__doc__ or "").rstrip("."), draw)
    for draw in (base, categories, shops, looked, alike, rising, explore)
)
"""A candidate's `sources` is a number with a bit for each, in this order."""
NAMES = tuple("+".join(one.name for bit, one in enumerate(SOURCES) if number >> bit & 1) for number in range(1 << 7))
"""By that number, the sources in words."""


def candidates(market: Market) -> ir.Table:
    """Every buyer's candidates: the pair, `base_score` and `sources`; as many as the settings say, or fewer."""
    wanted = [
        (bit, source) for bit, source in enumerate(SOURCES) if source.draw is not explore or market.settings.explore
    ]
    drawn = [_numbered(source.draw(market), 1 << bit) for bit, source in wanted]
    once = ibis.union(*drawn).group_by([*PAIR, "source"]).agg(place=lambda t: t["place"].min())
    merged = once.group_by(list(PAIR)).agg(sources=once["source"].sum(), place=once["place"].min())
    first = ibis.window(group_by="account_id", order_by=["place", "product_id"])
    ordered = merged.mutate(number=ibis.row_number().over(first))
    kept = ordered.filter(ordered["number"] < market.settings.candidates)
    return kept.join(market.goods.select("product_id", "base_score"), "product_id").select(
        *PAIR, "base_score", "sources"
    )


def _numbered(drawn: ir.Table, source: int) -> ir.Table:
    return drawn.select(*PAIR, place=drawn["place"].cast("int64"), source=ibis.literal(source, type="int64"))


_BEST_BY = ("product_clicks_to_expected", "base_score")


def _best(market: Market, key: str, many: int) -> ir.Table:
    return _placed(market.goods.filter(market.goods[key].notnull()).rename(key=key), "key", many)


def _placed(goods: ir.Table, key: str, many: int) -> ir.Table:
    """The first so many products of each key, by how much better they sell than their positions promise."""
    order = [ibis.desc(column) for column in _BEST_BY]
    first = ibis.window(group_by=key, order_by=[*order, "product_id"])
    placed = goods.select("product_id", key=key, place=ibis.row_number().over(first) + 1)
    return placed.filter(placed["place"] <= many)


def _of_favourites(favourites: ir.Table, best: ir.Table) -> ir.Table:
    """The best products of each favourite; the first of every favourite before the second of any."""
    pairs = favourites.join(best, "key")
    return pairs.select(*PAIR, place=pairs["place"] + pairs["rank"] - 1)
