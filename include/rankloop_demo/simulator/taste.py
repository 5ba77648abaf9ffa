"""How much a buyer wants a product: hidden from MongoDB, from every feature and from every model."""

import numpy as np

from rankloop_demo.simulator.lists import NO_PRODUCT, Lists
from rankloop_demo.simulator.market_day import MarketDay
from rankloop_demo.simulator.vocabulary import Floats, Ints
from rankloop_demo.simulator.world import World

LEAF, DEPARTMENT, MIND = 1.35, 0.35, 1.1
SHOP, WORD, PRICE, NOVELTY, POPULARITY = 1.3, 0.8, 2.2, 1.0, 0.6
HABIT_LEFT, THRIFT, DEAR = 0.15, 6.0, 0.55
"""Once tastes have moved: what is left of the pull of favourites, by what the most expensive loses to the cheapest, and
the price level that nobody minds, such that about as much is clicked as before."""
ATTENTION_HALF, ATTENTION_POWER = 20.0, 2.3
"""Attention at position i (from 0) is (1 + i / HALF) ** -POWER."""
RELUCTANCE = 5.9
"""Taken from every utility, so that most lists end with no click or one."""


def click_probability(world: World, market: MarketDay, lists: Lists) -> Floats:
    """Return the true probability that each product shown is clicked where it stands; 0 past the list's end."""
    want = 1 / (1 + np.exp(RELUCTANCE - utility(world, market, lists)))
    return np.where(lists.shown, want * attention(lists.products.shape[1]), 0.0)


def attention(length: int) -> Floats:
    """Return how likely a buyer looks at each position: position bias."""
    return np.asarray((1 + np.arange(length) / ATTENTION_HALF) ** -ATTENTION_POWER)


def utility(world: World, market: MarketDay, lists: Lists) -> Floats:
    """Return how much each list's buyer wants each of its products today."""
    buyer, product = lists.buyer, lists.products
    people, goods = world.buyers, world.products
    leaf = goods.leaf[product]
    department = world.words.department[leaf]
    wanted = people.eagerness[buyer][:, None] + MIND * (leaf == lists.mind[:, None])
    wanted = wanted + DEPARTMENT * np.take_along_axis(people.department_love[buyer], department, axis=1)
    thrifty = market.scenarios.tastes_move(market.day)
    habit = HABIT_LEFT if thrifty else 1.0
    wanted += habit * LEAF * _love_of_leaf(world, buyer, leaf)
    wanted += habit * SHOP * _among(goods.shop[product], people.shops[buyer])
    wanted += WORD * _words_loved(world, buyer, product)
    wanted -= _put_off_by_price(world, buyer, goods.price_level[product], thrifty=thrifty)
    wanted += NOVELTY * people.novelty[buyer][:, None] * market.newness[product]
    wanted += POPULARITY * market.popularity[product]
    return np.asarray(wanted)


def _love_of_leaf(world: World, buyer: Ints, leaf: Ints) -> Floats:
    love = world.buyers.leaf_love[buyer]
    total = np.zeros(leaf.shape, dtype=np.float32)
    for column in range(love.shape[1]):
        total += (leaf == world.buyers.leaves[buyer, column][:, None]) * love[:, column][:, None]
    return total


def _put_off_by_price(world: World, buyer: Ints, level: Floats, *, thrifty: bool) -> Floats:
    """Return how much a price puts buyers off: one unlike what they are used to, or in hard times any high one."""
    if thrifty:
        return THRIFT * (level - np.float32(DEAR))
    gap = np.abs(level - world.buyers.price_level[buyer][:, None])
    return np.asarray(PRICE * gap * world.buyers.price_care[buyer][:, None])


def _among(value: Ints, favourites: Ints) -> Floats:
    matches = np.zeros(value.shape, dtype=np.float32)
    for column in range(favourites.shape[1]):
        matches += value == favourites[:, column][:, None]
    return matches


def _words_loved(world: World, buyer: Ints, product: Ints) -> Floats:
    """Return how many words of each product's name are among the buyer's favourites."""
    total = np.zeros(product.shape, dtype=np.float32)
    favourites = world.buyers.words[buyer]
    for place in range(world.products.words.shape[1]):
        total += _among(world.products.words[product, place], favourites)
    return np.where(product == NO_PRODUCT, 0, total)
