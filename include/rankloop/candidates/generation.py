"""Generates the candidates of each buyer from several sources, one function a source; a candidate keeps its sources.

A source returns pairs of buyer and product with a `place`, 1 the best. Candidates are the pairs that are placed best by
any source, so that every source contributes. The result depends neither on the order of rows nor on real chance.
"""

from collections.abc import Callable
from typing import NamedTuple

import ibis
import ibis.expr.types as ir

from rankloop.candidates.pool import CandidatePool
from rankloop.features.categories import DEPTHS
from rankloop.features.families import buyer_category, buyer_product, buyer_shop, buyer_word
from rankloop.features.families.buyer_word import words

PAIR = ("account_id", "product_id")
FAVOURITE_CATEGORIES, FAVOURITE_SHOPS, FAVOURITE_WORDS = 6, 5, 8
PER_CATEGORY, PER_SHOP, PER_WORD = 15, 10, 8
RECENTLY_VIEWED, TRENDING = 40, 20
LEAF = DEPTHS[-1]
MIN_TREND_CLICKS = 3
"""Fewer clicks in a week tell nothing about a product's trend."""
BUYER_STEP, DAY_STEP, DRAW_STEP, PRIME = 7_919, 104_729, 611_953, 1_000_003
"""Large primes, so that exploration draws other products for another buyer, day or draw."""


class CandidateSource(NamedTuple):
    """A function that proposes products for buyers."""

    name: str
    """As batches and answers name it."""
    label: str
    """As the storefront shows it."""
    meaning: str
    propose: Callable[[CandidatePool], ir.Table]


def popular(pool: CandidatePool) -> ir.Table:
    """Return the products that the shop ranks highest, for every buyer."""
    best = pool.products.filter(pool.products["base_place"] <= pool.options.candidates // 2)
    pairs = pool.buyers.cross_join(best)
    return pairs.select(*PAIR, place=pairs["base_place"])


def favourite_categories(pool: CandidatePool) -> ir.Table:
    """Return the best sellers of the buyer's favourite categories."""
    liked = pool.read(buyer_category.TABLE.name)
    liked = liked.filter((liked["depth"] == LEAF) & (liked["rank"] <= FAVOURITE_CATEGORIES))
    return _of_favourites(
        liked.select("account_id", "rank", key="category"), _best_sellers(pool, "category_path", PER_CATEGORY)
    )


def favourite_shops(pool: CandidatePool) -> ir.Table:
    """Return the best sellers of the buyer's favourite shops."""
    liked = pool.read(buyer_shop.TABLE.name)
    liked = liked.filter(liked["buyer_shop_rank"] <= FAVOURITE_SHOPS)
    liked = liked.select("account_id", rank="buyer_shop_rank", key="shop_id")
    return _of_favourites(liked, _best_sellers(pool, "shop_id", PER_SHOP))


def recently_viewed(pool: CandidatePool) -> ir.Table:
    """Return the products that the buyer viewed recently."""
    pairs = pool.read(buyer_product.TABLE.name).semi_join(pool.products, "product_id")
    first = ibis.window(group_by="account_id", order_by=[ibis.desc("pair_weight"), "product_id"])
    placed = pairs.select(*PAIR, place=ibis.row_number().over(first) + 1)
    return placed.filter(placed["place"] <= RECENTLY_VIEWED)


def similar_names(pool: CandidatePool) -> ir.Table:
    """Return the best sellers among products whose names contain words that this buyer clicks more than others do."""
    said = pool.read(buyer_word.TABLE.name)
    first = ibis.window(group_by="account_id", order_by=[ibis.desc("surprise"), "rank"])
    own = said.filter(said["surprise"] > 0).mutate(rank=ibis.row_number().over(first) + 1)
    own = own.filter(own["rank"] <= FAVOURITE_WORDS)
    named = words(pool.products).join(pool.products.select("product_id", *_BEST_SELLERS_BY), "product_id")
    best = _top_per_key(named, "word", PER_WORD)
    return _of_favourites(own.select("account_id", "rank", key="word"), best)


def trending(pool: CandidatePool) -> ir.Table:
    """Return the products whose clicks are growing fastest, for every buyer."""
    goods = pool.products.filter(pool.products["product_clicks_7d"] >= MIN_TREND_CLICKS)
    first = ibis.window(order_by=[ibis.desc("product_trend_clicks"), "product_id"])
    placed = goods.select("product_id", place=ibis.row_number().over(first) + 1)
    pairs = pool.buyers.cross_join(placed.filter(placed["place"] <= TRENDING))
    return pairs.select(*PAIR, "place")


def exploration(pool: CandidatePool) -> ir.Table:
    """Return random products, so that unknown ones get a chance; another day draws others."""
    by_id = ibis.window(order_by="product_id")
    numbered = pool.products.select("product_id", number=ibis.row_number().over(by_id))
    buyer, day = pool.buyers["account_id"] % PRIME, pool.day.toordinal()
    draws = pool.buyers.mutate(draw=ibis.range(0, pool.options.explore).unnest(), start=buyer * BUYER_STEP)
    count = pool.products.count().as_scalar()
    drawn = draws.mutate(number=(draws["start"] + day * DAY_STEP + draws["draw"] * DRAW_STEP) % count)
    return drawn.join(numbered, "number").select(*PAIR, place=drawn["draw"] + 1)


SOURCES = (
    CandidateSource("base", "popular", "ranked highest by the shop, for every buyer", popular),
    CandidateSource("categories", "favourite category", "best seller of a favourite category", favourite_categories),
    CandidateSource("shops", "favourite shop", "best seller of a favourite shop", favourite_shops),
    CandidateSource("looked", "recently viewed", "recently viewed by the buyer", recently_viewed),
    CandidateSource("alike", "similar name", "its name contains words that this buyer clicks", similar_names),
    CandidateSource("rising", "trending", "its clicks are growing fastest", trending),
    CandidateSource("explore", "random", "random, so that unknown products get a chance", exploration),
)
"""A candidate's `sources` is a number with one bit for each, in this order. Batches store the names."""
SOURCE_NAMES = tuple(
    "+".join(source.name for bit, source in enumerate(SOURCES) if number >> bit & 1)
    for number in range(1 << len(SOURCES))
)
"""The names for each such number, joined by `+`."""


def candidates(pool: CandidatePool) -> ir.Table:
    """Return every buyer's candidates, at most `scoring.candidates` each: the pair, `base_score` and `sources`."""
    active = [
        (bit, source) for bit, source in enumerate(SOURCES) if source.propose is not exploration or pool.options.explore
    ]
    proposed = [_with_source(source.propose(pool), 1 << bit) for bit, source in active]
    once = ibis.union(*proposed).group_by([*PAIR, "source"]).agg(place=lambda t: t["place"].min())
    merged = once.group_by(list(PAIR)).agg(sources=once["source"].sum(), place=once["place"].min())
    best_first = ibis.window(group_by="account_id", order_by=["place", "product_id"])
    ordered = merged.mutate(number=ibis.row_number().over(best_first))
    limited = ordered.filter(ordered["number"] < pool.options.candidates)
    return limited.join(pool.products.select("product_id", "base_score"), "product_id").select(
        *PAIR, "base_score", "sources"
    )


def _with_source(proposed: ir.Table, source: int) -> ir.Table:
    return proposed.select(*PAIR, place=proposed["place"].cast("int64"), source=ibis.literal(source, type="int64"))


_BEST_SELLERS_BY = ("product_clicks_to_expected", "base_score")


def _best_sellers(pool: CandidatePool, key: str, count: int) -> ir.Table:
    return _top_per_key(pool.products.filter(pool.products[key].notnull()).rename(key=key), "key", count)


def _top_per_key(products: ir.Table, key: str, count: int) -> ir.Table:
    """Return the best products of each key, by their clicks relative to what their positions lead one to expect."""
    order = [ibis.desc(column) for column in _BEST_SELLERS_BY]
    first = ibis.window(group_by=key, order_by=[*order, "product_id"])
    placed = products.select("product_id", key=key, place=ibis.row_number().over(first) + 1)
    return placed.filter(placed["place"] <= count)


def _of_favourites(favourites: ir.Table, best: ir.Table) -> ir.Table:
    """Return the best products of each favourite: the first of every favourite before the second of any."""
    pairs = favourites.join(best, "key")
    return pairs.select(*PAIR, place=pairs["place"] + pairs["rank"] - 1)
