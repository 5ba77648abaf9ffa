"""What buyers do with the lists they are shown: clicks, likes, carts, orders, and visits that came by no list."""

from dataclasses import dataclass, fields

import numpy as np

from rankloop_demo.simulator.lists import Lists
from rankloop_demo.simulator.market_day import MarketDay
from rankloop_demo.simulator.taste import click_probability
from rankloop_demo.simulator.vocabulary import Bools, Floats, Ints
from rankloop_demo.simulator.world import World

VIEW, CLICK, LIKE_SHOP, ADD_TO_CART, ORDER = range(5)
NO_LIST = -1
DAY_S = 86_400
VISITS_WITHOUT_A_LIST = 0.25


@dataclass(frozen=True)
class Reactions:
    """A row a reaction. `second` counts from the start of the day of the list, and may run into the next day."""

    second: Floats
    kind: Ints
    buyer: Ints
    product: Ints
    list: Ints
    quantity: Ints

    def take(self, rows: Ints | Bools) -> "Reactions":
        """Return only these rows."""
        return Reactions(*(getattr(self, field.name)[rows] for field in fields(self)))


def react(world: World, market: MarketDay, lists: Lists, random: np.random.Generator) -> Reactions:
    """Draw the reactions to these lists and the day's other visits until the end of the next day, by time."""
    clicks = _clicks(lists, click_probability(world, market, lists), random)
    return _with_what_follows(world, market, clicks, _visits(lists, random), random)


def answer(world: World, market: MarketDay, lists: Lists, random: np.random.Generator) -> Reactions:
    """Draw the reactions to these lists, as `react` does, without the visits that came by no list."""
    clicks = _clicks(lists, click_probability(world, market, lists), random)
    return _with_what_follows(world, market, clicks, clicks.take(clicks.kind == VIEW), random)


def _with_what_follows(
    world: World, market: MarketDay, clicks: Reactions, visits: Reactions, random: np.random.Generator
) -> Reactions:
    likes = _likes(world, clicks, random)
    carts = _carts(world, market, _joined(clicks, visits), random)
    orders = _orders(world, carts, random)
    everything = _joined(visits, clicks, likes, carts, orders)
    # The few that would come later still are lost to the simulation: one day carries over into the next, no further.
    everything = everything.take(everything.second < 2 * DAY_S)
    return everything.take(np.lexsort((everything.product, everything.kind, everything.buyer, everything.second)))


def _joined(*parts: Reactions) -> Reactions:
    return Reactions(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Reactions)))


def _clicks(lists: Lists, probability: Floats, random: np.random.Generator) -> Reactions:
    row, position = np.nonzero(random.random(probability.shape) < probability)
    pause = random.lognormal(2.0, 0.8, len(row))
    return Reactions(
        second=lists.second[row] + 3 + 2.5 * position + pause,
        kind=np.full(len(row), CLICK),
        buyer=lists.buyer[row],
        product=lists.products[row, position],
        list=row,
        quantity=np.zeros(len(row), dtype=np.int64),
    )


def _visits(lists: Lists, random: np.random.Generator) -> Reactions:
    """Product pages opened from outside, by a link or a search engine: views that belong to no list.

    They are of products such as the shop would have shown this buyer.
    """
    row = np.flatnonzero(random.random(len(lists.buyer)) < VISITS_WITHOUT_A_LIST)
    place = (random.random(len(row)) * lists.shown[row].sum(axis=1)).astype(np.int64)
    return Reactions(
        second=lists.second[row] + random.exponential(900, len(row)),
        kind=np.full(len(row), VIEW),
        buyer=lists.buyer[row],
        product=lists.products[row, place],
        list=np.full(len(row), NO_LIST),
        quantity=np.zeros(len(row), dtype=np.int64),
    )


def _likes(world: World, clicks: Reactions, random: np.random.Generator) -> Reactions:
    shop = world.products.shop[clicks.product]
    favourite = (world.buyers.shops[clicks.buyer] == shop[:, None]).any(axis=1)
    liked = random.random(len(shop)) < np.where(favourite, 0.08, 0.012)
    return _after(clicks, liked, LIKE_SHOP, random.lognormal(3.5, 0.7, len(shop)), np.zeros(len(shop), dtype=np.int64))


def _carts(world: World, market: MarketDay, seen: Reactions, random: np.random.Generator) -> Reactions:
    wish = -1.7 + 0.6 * world.buyers.spending[seen.buyer] + 1.5 * market.discount[seen.product]
    wish = wish + 0.2 * world.products.quality[seen.product] - 0.9 * (seen.kind == VIEW)
    taken = random.random(len(wish)) < 1 / (1 + np.exp(-wish))
    return _after(seen, taken, ADD_TO_CART, random.lognormal(5.2, 1.2, len(wish)), 1 + random.poisson(0.15, len(wish)))


def _orders(world: World, carts: Reactions, random: np.random.Generator) -> Reactions:
    wish = -0.3 + world.buyers.spending[carts.buyer] + 0.2 * world.products.quality[carts.product]
    bought = random.random(len(wish)) < 1 / (1 + np.exp(-wish))
    return _after(carts, bought, ORDER, random.lognormal(8.0, 1.7, len(wish)), carts.quantity)


def _after(cause: Reactions, chosen: Bools, kind: int, delay: Floats, quantity: Ints) -> Reactions:
    """Return reactions that follow from the chosen rows of the cause, each after its delay."""
    return Reactions(
        second=(cause.second + delay)[chosen],
        kind=np.full(int(chosen.sum()), kind),
        buyer=cause.buyer[chosen],
        product=cause.product[chosen],
        list=cause.list[chosen],
        quantity=quantity[chosen],
    )
