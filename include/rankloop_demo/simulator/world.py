"""The hidden truth of the marketplace: what products are worth and what buyers like.

A world is a function of its seed and scale alone. Nothing in it changes with the day: whatever does (prices, moods,
life cycles, demand) is computed from the world and the day, so any day can be lived without the days before it.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from rankloop_demo.simulator.vocabulary import Floats, Ints, Vocabulary, vocabulary

BUYERS, PRODUCTS, SHOPS = 2000, 5000, 200
HORIZON = 400
"""Days after the first for which new buyers and products are known; later ones bring no newcomers."""
DAILY_GROWTH = 0.002
"""Newcomers a day, of buyers and of products, as a share of those at the start."""
WORDS_IN_NAME = 6
NO_WORD = -1
FIRST_ACCOUNT_ID, FIRST_PRODUCT_ID, FIRST_SHOP_ID = 100_000, 20_000_000, 300_000


@dataclass(frozen=True)
class Shops:
    """Struct of arrays, a row a shop."""

    department: Ints
    size: Floats
    price_level: Floats
    quality: Floats


@dataclass(frozen=True)
class Products:
    """Struct of arrays, a row a product, sorted by leaf."""

    id: Ints
    leaf: Ints
    shop: Ints
    words: Ints
    price: Floats
    price_level: Floats
    """How expensive it is within its leaf, 0 to 1."""
    quality: Floats
    launch: Ints
    """Days after the first day of the world; mostly negative."""
    retire: Ints
    """The day from which it is no longer sold."""
    leaf_start: Ints
    """Where each leaf's products begin, with one more entry at the end."""


@dataclass(frozen=True)
class Buyers:
    """Struct of arrays, a row a buyer."""

    id: Ints
    join: Ints
    """Days after the first day of the world; negative for those who were there already."""
    lapse: Ints
    """The day after which the buyer hardly comes any more."""
    activity: Floats
    """Lists seen a day when regular; heavy-tailed."""
    eagerness: Floats
    """How readily a click comes, added to every utility."""
    leaves: Ints
    """Favourite leaves, the most favoured first."""
    leaf_love: Floats
    department_love: Floats
    shops: Ints
    words: Ints
    price_level: Floats
    price_care: Floats
    novelty: Floats
    spending: Floats
    """How readily a click becomes an order."""


@dataclass(frozen=True)
class World:
    """A marketplace's hidden truth; see the module."""

    seed: int
    scale: float
    first_day: date
    words: Vocabulary
    shops: Shops
    products: Products
    buyers: Buyers

    def day_number(self, day: date) -> int:
        """Days since the first day of the world."""
        number = (day - self.first_day).days
        if number < 0:
            raise ValueError(f"{day} is before {self.first_day}, the first day of this marketplace")
        return number


def rng(seed: int, *stream: int) -> np.random.Generator:
    """Return a generator for one stream of random numbers, independent of other streams and the order of drawing."""
    return np.random.default_rng([seed, *stream])


def make_world(seed: int, scale: float, first_day: date) -> World:
    """Make the world of this seed and scale."""
    words = vocabulary()
    shops = _make_shops(rng(seed, 1), max(4, round(SHOPS * scale)), words)
    products = _make_products(rng(seed, 2), round(PRODUCTS * scale), words, shops)
    buyers = _make_buyers(rng(seed, 3), round(BUYERS * scale), words, products, len(shops.size))
    return World(seed, scale, first_day, words, shops, products, buyers)


def _make_shops(random: np.random.Generator, count: int, words: Vocabulary) -> Shops:
    departments = int(words.department.max()) + 1
    # The first shops cover every department, so that no leaf is left without a shop.
    department = np.concatenate([np.arange(departments), random.integers(departments, size=count)])[
        : max(count, departments)
    ]
    return Shops(
        department=department,
        size=random.pareto(1.3, len(department)) + 0.3,
        price_level=random.normal(0, 0.35, len(department)),
        quality=random.normal(0, 0.5, len(department)),
    )


def _make_products(random: np.random.Generator, at_start: int, words: Vocabulary, shops: Shops) -> Products:
    at_start = max(at_start, words.leaves)
    newcomers = round(at_start * DAILY_GROWTH * HORIZON)
    count = at_start + newcomers
    share = random.pareto(1.8, words.leaves) + 0.5
    leaf = np.sort(
        np.concatenate(
            [np.arange(words.leaves), random.choice(words.leaves, count - words.leaves, p=share / share.sum())]
        )
    )
    shop = _pick_shops(random, words.department[leaf], shops)
    dearness = shops.price_level[shop] + random.normal(0, 0.55, count)
    # A gold bar among rings: one price in some hundreds is beyond reason, as in life.
    dearness += np.where(random.random(count) < 0.002, random.exponential(4.0, count), 0)
    launch = -np.ceil(random.exponential(300, count)).astype(np.int64)
    late = random.permutation(count)[:newcomers]
    launch[late] = random.integers(0, HORIZON, newcomers)
    first_of_leaf = np.searchsorted(leaf, np.arange(words.leaves))
    launch[first_of_leaf] = -200
    retire = np.maximum(launch, 0) + np.ceil(random.exponential(600, count)).astype(np.int64)
    retire[first_of_leaf] = HORIZON * 10  # so that no leaf is ever empty
    return Products(
        id=FIRST_PRODUCT_ID + random.permutation(count),
        leaf=leaf,
        shop=shop,
        words=_name_words(random, leaf, words),
        price=np.clip(np.round(words.price[leaf] * np.exp(dearness) / 1_000) * 1_000, 9_000, 1e14),
        price_level=1 / (1 + np.exp(-dearness / 0.4)),
        quality=(random.normal(0, 1, count) + shops.quality[shop]).astype(np.float32),
        launch=launch,
        retire=retire,
        leaf_start=np.searchsorted(leaf, np.arange(words.leaves + 1)),
    )


def _pick_shops(random: np.random.Generator, department: Ints, shops: Shops) -> Ints:
    """Draw a shop for each product, mostly one of the product's department, large ones more often."""
    chosen = np.empty(len(department), dtype=np.int64)
    for number in np.unique(department):
        here = np.flatnonzero(department == number)
        weight = shops.size * np.where(shops.department == number, 1.0, 0.01)
        chosen[here] = random.choice(len(weight), len(here), p=weight / weight.sum())
    return chosen


def _name_words(random: np.random.Generator, leaf: Ints, words: Vocabulary) -> Ints:
    """Draw the words of each name: its leaf's noun, some of its sub-department's, some that occur everywhere."""
    name = np.full((len(leaf), WORDS_IN_NAME), NO_WORD)
    name[:, 0] = words.noun[leaf]
    for sub, choices in enumerate(words.sub_words):
        here = np.flatnonzero(words.sub[leaf] == sub)
        # The earlier words of a sub-department are the commoner ones.
        keys = random.exponential(1.0 + 0.35 * np.arange(len(choices)), (len(here), len(choices)))
        name[here, 1:4] = choices[np.argsort(keys, axis=1)[:, :3]]
    name[:, 4:] = words.everywhere[np.argsort(random.random((len(leaf), len(words.everywhere))), axis=1)[:, :2]]
    name[random.random(len(leaf)) < 0.5, 3] = NO_WORD
    name[random.random(len(leaf)) < 0.6, 5] = NO_WORD
    return name


def _make_buyers(
    random: np.random.Generator, at_start: int, words: Vocabulary, products: Products, shops: int
) -> Buyers:
    at_start = max(at_start, 10)
    count = at_start + round(at_start * DAILY_GROWTH * HORIZON)
    join = np.sort(
        np.concatenate([-np.ceil(random.exponential(400, at_start)), random.integers(0, HORIZON, count - at_start)])
    )
    department_love = random.normal(0, 0.8, (count, int(words.department.max()) + 1)).astype(np.float32)
    leaves = _favourite_leaves(random, department_love, words)
    return Buyers(
        id=FIRST_ACCOUNT_ID + np.arange(count),
        join=join.astype(np.int64),
        lapse=np.maximum(join, -30).astype(np.int64) + np.ceil(random.exponential(260, count)).astype(np.int64),
        activity=random.gamma(0.9, 2.4, count) + 0.15,
        eagerness=random.normal(0, 0.5, count).astype(np.float32),
        leaves=leaves,
        leaf_love=-np.sort(-random.gamma(3.0, 0.35, leaves.shape), axis=1).astype(np.float32),
        department_love=department_love,
        shops=_favourite_shops(random, leaves, products, shops),
        words=_favourite_words(random, leaves, words),
        price_level=random.beta(2, 2, count).astype(np.float32),
        price_care=random.gamma(2.0, 0.5, count).astype(np.float32),
        novelty=random.normal(0, 0.5, count).astype(np.float32),
        spending=random.normal(0, 0.6, count).astype(np.float32),
    )


def _favourite_leaves(random: np.random.Generator, department_love: Floats, words: Vocabulary, count: int = 6) -> Ints:
    """Six leaves a buyer, mostly in the departments the buyer loves (Gumbel draws without replacement)."""
    chosen = np.empty((len(department_love), count), dtype=np.int64)
    for start in range(0, len(chosen), 20_000):  # a row a buyer and a column a leaf: bounded
        rows = slice(start, start + 20_000)
        keys = 1.5 * department_love[rows][:, words.department]
        keys = keys + random.gumbel(size=keys.shape)
        chosen[rows] = np.argsort(-keys, axis=1)[:, :count]
    return chosen


def _favourite_shops(random: np.random.Generator, leaves: Ints, products: Products, shops: int, count: int = 4) -> Ints:
    """Shops that sell what the buyer likes, and one at random."""
    first, size = products.leaf_start[leaves[:, :count]], np.diff(products.leaf_start)[leaves[:, :count]]
    chosen: Ints = products.shop[first + (random.random(first.shape) * size).astype(np.int64)]
    chosen[:, -1] = random.integers(shops, size=len(chosen))
    return chosen


def _favourite_words(random: np.random.Generator, leaves: Ints, words: Vocabulary) -> Ints:
    """Draw two words of each of the three most favoured leaves' sub-departments, and two that occur everywhere."""
    table = np.array([np.resize(choices, 7) for choices in words.sub_words])
    own = [table[words.sub[leaves[:, i]], random.integers(7, size=len(leaves))] for i in (0, 0, 1, 1, 2, 2)]
    anywhere = words.everywhere[random.integers(len(words.everywhere), size=(len(leaves), 2))]
    return np.column_stack([*own, anywhere])
