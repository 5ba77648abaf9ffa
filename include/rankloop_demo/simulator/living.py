"""One day in the life of one block of buyers: every document that arrives on it.

A block is a fixed group of buyers and products, so the same documents come out however many processes share the
blocks. Nothing is kept from one day to the next but what the day before left to arrive on this one: a day lived twice,
with the same rankings shown, is the same day.
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.marketplace import BUYERS, COLLECTIONS, IMPRESSIONS, INTERACTIONS, PRODUCTS
from rankloop_demo.simulator.catalogue import product_documents, products_changed
from rankloop_demo.simulator.clock import Clock, clock
from rankloop_demo.simulator.dirt import LATE_SHARE, Stain, late, soil
from rankloop_demo.simulator.documents import (
    ARRIVAL,
    Document,
    Page,
    list_documents,
    reaction_documents,
    reaction_table,
)
from rankloop_demo.simulator.lists import Lists, make_lists
from rankloop_demo.simulator.market_day import MarketDay, market_day
from rankloop_demo.simulator.people import buyer_documents, buyers_changed
from rankloop_demo.simulator.reactions import Reactions, answer, react
from rankloop_demo.simulator.scenarios import Scenarios
from rankloop_demo.simulator.storefront import Rankings, personalised
from rankloop_demo.simulator.vocabulary import Ints
from rankloop_demo.simulator.world import World, make_world, rng

BLOCK_BUYERS = 1000
"""Bounds the memory of a process; part of what the documents are, so no setting."""
LISTS, REACTIONS, LATE, DIRT, ANSWERS, LATE_ANSWERS = 41, 42, 43, 44, 45, 46


@dataclass(frozen=True)
class Arrivals:
    """What arrives on one day from one block."""

    new: dict[str, list[Any]] = field(default_factory=dict)
    """By collection: documents that were not there before, as dicts or as BSON."""
    changed: dict[str, list[Document]] = field(default_factory=dict)
    """By collection: documents that take the place of their former selves."""
    stains: list[Stain] = field(default_factory=list)
    shown: int = 0
    """Products shown in the day's lists."""
    tomorrow: pa.Table | None = None
    """Reactions to this day's lists that arrive on the next day."""


@dataclass(frozen=True)
class Marketplace:
    """A simulated marketplace: everything about it follows from these few values, which travel between processes."""

    seed: int
    scale: float
    first_day: date
    timezone: str
    dirt: bool = True
    scenarios: Scenarios = field(default_factory=Scenarios)
    control_share: float = 0.5
    """The share of buyers who are shown the base ranking, whatever is live."""

    @property
    def world(self) -> World:
        """The hidden truth, made once a process and never sent to another."""
        return _world(self.seed, self.scale, self.first_day)

    @property
    def zone(self) -> ZoneInfo:
        """The market's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def blocks(self) -> int:
        """Return how many blocks of buyers the marketplace is simulated in."""
        return -(-len(self.world.buyers.id) // BLOCK_BUYERS)

    def buyers_of(self, block: int) -> Ints:
        """Return the buyers of a block, by their row in the world."""
        return np.arange(block * BLOCK_BUYERS, min((block + 1) * BLOCK_BUYERS, len(self.world.buyers.id)))

    def products_of(self, block: int) -> Ints:
        """Return the products that a block enters in the catalogue, by their row in the world."""
        return np.arange(block, len(self.world.products.id), self.blocks)

    def market(self, day: date) -> MarketDay:
        """Return the state of all products on a day."""
        return _market(self.seed, self.scale, self.first_day, day, tuple(sorted(self.scenarios.first_day.items())))


@lru_cache(maxsize=2)
def _world(seed: int, scale: float, first_day: date) -> World:
    return make_world(seed, scale, first_day)


@lru_cache(maxsize=3)  # yesterday, today, and the day that a caller compares with
def _market(seed: int, scale: float, first_day: date, day: date, scenarios: tuple[tuple[str, date], ...]) -> MarketDay:
    return market_day(_world(seed, scale, first_day), day, Scenarios(dict(scenarios)))


def live(
    place: Marketplace,
    day: date,
    block: int,
    from_yesterday: pa.Table | None = None,
    rankings: Rankings | None = None,
) -> Arrivals:
    """Return everything that arrives on this day from a block, some of whose buyers may see our rankings.

    `from_yesterday` is the `tomorrow` of the day before; without it that day is lived again, with base rankings alone.
    """
    if from_yesterday is None and day > place.first_day:
        from_yesterday = _write_up(place, day - timedelta(days=1), block)[2]
    lists, today, tomorrow, shown = _write_up(place, day, block, rankings)
    reactions = pa.concat_tables([today, from_yesterday]) if from_yesterday is not None else today
    new: dict[str, list[Any]] = {IMPRESSIONS: lists, INTERACTIONS: reaction_documents(reactions)}
    changed: dict[str, list[Document]] = {}
    new[BUYERS], changed[BUYERS] = _buyers(place, day, block)
    new[PRODUCTS], changed[PRODUCTS] = _products(place, day, block)
    if not place.dirt:
        return Arrivals(new, changed, [], shown, tomorrow)
    stains = late(_happened_before(reactions, place, day))
    for number, documents in enumerate((new, changed)):
        for collection in sorted(documents):
            stream = (place.world.day_number(day), block, number, COLLECTIONS.index(collection))
            documents[collection], made = soil(collection, documents[collection], rng(place.seed, DIRT, *stream))
            stains += made
    return Arrivals(new, changed, stains, shown, tomorrow)


def happen(place: Marketplace, day: date, block: int) -> tuple[Lists, Reactions]:
    """Draw the lists of a block's day, all of them base lists, and the reactions to them."""
    world, market = place.world, place.market(day)
    lists = make_lists(world, market, place.buyers_of(block), rng(place.seed, LISTS, market.number, block))
    return lists, react(world, market, lists, rng(place.seed, REACTIONS, market.number, block))


def _write_up(
    place: Marketplace, day: date, block: int, rankings: Rankings | None = None
) -> tuple[list[bytes], pa.Table, pa.Table, int]:
    """Return a day's lists, the reactions that arrive on it and on the next day, and how many products were shown."""
    page = Page(place.world, place.market(day), clock(day, place.zone), block)
    lists, reactions = happen(place, day, block)
    table = _arriving(place, page, reactions, LATE)
    if rankings is not None:
        # What is not replaced stays to the last byte: it was drawn as if nothing were, and these answers are apart.
        lists, replaced = personalised(lists, rankings, page.market)
        answers = _answers(place, page, lists, replaced)
        table = table.filter(pa.array(~np.isin(reactions.list, replaced)))
        table = pa.concat_tables([table, _arriving(place, page, answers, LATE_ANSWERS, len(reactions.kind))])
    is_today = pc.less(table[ARRIVAL], page.clock.end_ms)
    today, tomorrow = table.filter(is_today), table.filter(pc.invert(is_today))
    return list_documents(page, lists), today, tomorrow, int(lists.shown.sum())


def _answers(place: Marketplace, page: Page, lists: Lists, replaced: Ints) -> Reactions:
    """Draw the reactions to the lists that replaced base lists."""
    random = rng(place.seed, ANSWERS, page.market.number, page.block)
    answers = answer(page.world, page.market, lists.take(replaced), random)
    return replace(answers, list=replaced[answers.list])


def _arriving(place: Marketplace, page: Page, reactions: Reactions, stream: int, first: int = 0) -> pa.Table:
    """Return the reactions, numbered from `first`, with the instant at which each arrives."""
    arrival = page.clock.at(reactions.second)
    if place.dirt:
        arrival = _delay_some(arrival, page.clock, rng(place.seed, stream, page.market.number, page.block))
    return reaction_table(page, reactions, arrival, first)


def _delay_some(arrival: Ints, today: Clock, random: np.random.Generator) -> Ints:
    """Delay a few of the day's reactions into the course of the next day."""
    delayed = (random.random(len(arrival)) < LATE_SHARE) & (arrival < today.end_ms)
    return np.where(delayed, today.end_ms + random.integers(3_600_000, 72_000_000, size=len(arrival)), arrival)


def _happened_before(reactions: pa.Table, place: Marketplace, day: date) -> pa.Table:
    """Return the reactions that arrive on this day but happened on the one before."""
    start = clock(day, place.zone).start_ms
    return reactions.filter(pc.less(reactions["ts"].cast(pa.int64()), start))


def _buyers(place: Marketplace, day: date, block: int) -> tuple[list[Document], list[Document]]:
    new, changed = buyers_changed(place.world, day, place.buyers_of(block))
    return tuple(buyer_documents(place.world, day, place.zone, rows) for rows in (new, changed))  # type: ignore[return-value]


def _products(place: Marketplace, day: date, block: int) -> tuple[list[Document], list[Document]]:
    market = place.market(day)
    before = place.market(day - timedelta(days=1)) if day > place.first_day else None
    new, changed = products_changed(place.world, market, before, place.products_of(block))
    return tuple(product_documents(place.world, market, place.zone, rows) for rows in (new, changed))  # type: ignore[return-value]
