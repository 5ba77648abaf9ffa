"""Which lists the shop shows on a day, to whom, holding which products, in the order of its own base ranking."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from rankloop.contracts.marketplace import BASE_POLICY
from rankloop_demo.simulator.market_day import HOUR_DEMAND, MarketDay
from rankloop_demo.simulator.vocabulary import Bools, Floats, Ints
from rankloop_demo.simulator.world import World

SHORTEST, LONGEST = 60, 100
SPARE = 60
MOST_LISTS_OF_A_BUYER = 40
HOME, CATEGORY, SEARCH = range(3)
SURFACES = ("home", "category", "search")
SURFACE_SHARE = (0.6, 0.25, 0.15)
# Where a list's products come from: what the buyer has in mind today, what the buyer often looks at, the neighbourhood
# of what is in mind, and what sells anyway. The shop infers the first three from the visit, as a decent shop would.
MIND, OFTEN, NEARBY, POPULAR = range(4)
SOURCE_SHARE = np.array([[0.10, 0.34, 0.16, 0.40], [0.40, 0.20, 0.25, 0.15], [0.55, 0.15, 0.20, 0.10]])
BASE_NOISE = 0.92
NO_PRODUCT, NO_SCORE = -1, -1.0
NEW_BUYER_DAYS = 30


@dataclass(frozen=True)
class Lists:
    """A row a list shown; the products stand in a matrix padded with NO_PRODUCT, in the order of their places."""

    buyer: Ints
    second: Ints
    """Seconds after the start of the market day."""
    surface: Ints
    mind: Ints
    """The leaf that the buyer has in mind today; hidden."""
    products: Ints
    base_score: Floats
    policy: npt.NDArray[Any]
    """Who ranked: `base`, or the version of a model."""

    @property
    def shown(self) -> Bools:
        """Return where the matrix holds a product."""
        return np.asarray(self.products != NO_PRODUCT)

    def take(self, rows: Ints | Bools) -> "Lists":
        """Return only these lists."""
        return Lists(*(getattr(self, field.name)[rows] for field in fields(self)))


def make_lists(world: World, market: MarketDay, buyers: Ints, random: np.random.Generator) -> Lists:
    """Draw the lists that these buyers see on this day, ordered by time."""
    visits = np.minimum(random.poisson(_expected_lists(world, market, buyers)), MOST_LISTS_OF_A_BUYER)
    mind_of_buyer = _minds(world, buyers, random)
    row = np.repeat(np.arange(len(buyers)), visits)
    hour = random.choice(24, len(row), p=HOUR_DEMAND)
    second = hour * 3600 + random.integers(3600, size=len(row))
    order = np.lexsort((row, second))
    row, second = row[order], second[order]
    surface = random.choice(3, len(row), p=SURFACE_SHARE)
    buyer, mind = buyers[row], mind_of_buyer[row]
    drawn = _draw_products(world, market, _draw_leaves(world, buyer, mind, surface, random), random)
    products = _keep_first_of_each(drawn, random.integers(SHORTEST, LONGEST + 1, len(row)))
    products, base_score = _base_ranking(market, products, random)
    return Lists(buyer, second, surface, mind, products, base_score, np.full(len(row), BASE_POLICY))


def _expected_lists(world: World, market: MarketDay, buyers: Ints) -> Floats:
    """Return how many lists each buyer sees on average today: more for newcomers, almost none for the lapsed."""
    people, today = world.buyers, market.number
    age = today - people.join[buyers]
    stage = np.select([age < 0, today > people.lapse[buyers], age < NEW_BUYER_DAYS], [0.0, 0.03, 1.3], 1.0)
    return np.asarray(people.activity[buyers] * stage * market.demand)


def _minds(world: World, buyers: Ints, random: np.random.Generator) -> Ints:
    """Draw the leaf each buyer is after today: mostly one of the favourites, sometimes any other."""
    love = world.buyers.leaf_love[buyers]
    favourite = np.argmax(love + random.gumbel(size=love.shape), axis=1)
    leaf = world.buyers.leaves[buyers, favourite]
    elsewhere = random.random(len(buyers)) < 0.12
    return np.where(elsewhere, random.integers(world.words.leaves, size=len(buyers)), leaf)


def _draw_leaves(world: World, buyer: Ints, mind: Ints, surface: Ints, random: np.random.Generator) -> Ints:
    """Draw a leaf for each place to fill, -1 for any popular product; more than needed, since some will repeat."""
    shape = (len(buyer), LONGEST + SPARE)
    cuts = np.cumsum(SOURCE_SHARE, axis=1)[surface]
    source = (random.random(shape, dtype=np.float32)[:, :, None] > cuts[:, None, :3]).sum(axis=2, dtype=np.int8)
    source[:, LONGEST:] = POPULAR  # a small leaf is soon exhausted; what sells anyway fills the list
    favourites = world.buyers.leaves[buyer]
    often = np.take_along_axis(favourites, random.integers(favourites.shape[1], size=shape), axis=1)
    first, last = _department_bounds(world)
    department = world.words.department[mind]
    nearby = first[department][:, None] + random.integers(1 << 30, size=shape) % (last - first)[department][:, None]
    choices = [np.broadcast_to(mind[:, None], shape), often, nearby]
    return np.select([source == MIND, source == OFTEN, source == NEARBY], choices, -1)


def _department_bounds(world: World) -> tuple[Ints, Ints]:
    numbers = np.arange(int(world.words.department.max()) + 1)
    department = world.words.department
    return np.searchsorted(department, numbers), np.searchsorted(department, numbers, side="right")


def _draw_products(world: World, market: MarketDay, leaf: Ints, random: np.random.Generator) -> Ints:
    """Draw a product of each leaf, popular ones more often."""
    total, start = market.pull, world.products.leaf_start
    low = np.where(leaf < 0, 0.0, total[start[leaf]])
    high = np.where(leaf < 0, total[-1], total[start[leaf + 1]])
    place = low + random.random(leaf.shape) * (high - low)
    return np.asarray(np.minimum(np.searchsorted(total, place, side="right") - 1, len(total) - 2))


def _keep_first_of_each(drawn: Ints, length: Ints) -> Ints:
    """Return each row without its repetitions, cut to its length; a small catalogue gives shorter lists."""
    order = np.argsort(drawn, axis=1, kind="stable")
    ordered = np.take_along_axis(drawn, order, axis=1)
    repeated = np.zeros(drawn.shape, dtype=bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    place = np.cumsum(~repeated, axis=1) - 1
    keep = ~repeated & (place < np.minimum(length, LONGEST)[:, None])
    products = np.full((len(drawn), LONGEST), NO_PRODUCT)
    row, column = np.nonzero(keep)
    products[row, place[row, column]] = drawn[row, column]
    return products


def _base_ranking(market: MarketDay, products: Ints, random: np.random.Generator) -> tuple[Ints, Floats]:
    """Rank each list as the shop does, by popularity with noise, and return the products and scores, best first."""
    worth = market.popularity[products] + random.normal(0, BASE_NOISE, products.shape)
    score = np.round(1 / (1 + np.exp(-worth)), 6)
    score[products == NO_PRODUCT] = NO_SCORE
    order = np.argsort(-score, axis=1, kind="stable")
    return np.take_along_axis(products, order, axis=1), np.take_along_axis(score, order, axis=1)
