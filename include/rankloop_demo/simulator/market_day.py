"""What the marketplace looks like on one day: what is sold, at which price, how popular, and the demand."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from rankloop_demo.simulator.scenarios import Scenarios
from rankloop_demo.simulator.vocabulary import BACK_TO_SCHOOL, TET, Bools, Floats
from rankloop_demo.simulator.world import World, rng

TET_DAYS = (date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6), date(2028, 1, 26), date(2029, 2, 13))
"""The first day of the lunar year; the weeks before it are the year's busiest."""
WEEKDAY_DEMAND = (1.05, 1.0, 1.0, 1.02, 0.98, 0.95, 1.1)
HOUR_DEMAND = np.array([3, 1.5, 1, 1, 1, 1.5, 3, 5, 7, 8, 9, 10, 11, 10, 8, 8, 8, 8, 8, 9, 11, 12, 10, 6], dtype=float)
HOUR_DEMAND /= HOUR_DEMAND.sum()


@dataclass(frozen=True)
class MarketDay:
    """One day's state of the products, a row a product as in the world, and the day's demand."""

    day: date
    number: int
    on_sale: Bools
    price: Floats
    discount: Floats
    newness: Floats
    """1 on the day of launch, fading over some weeks."""
    popularity: Floats
    """The logarithm of what a product is generally worth to buyers today."""
    pull: Floats
    """How often the shop shows a product, summed up over the products before it, with one more entry at the end."""
    demand: float
    """How many lists are shown, against an ordinary day."""
    scenarios: Scenarios


def market_day(world: World, day: date, scenarios: Scenarios) -> MarketDay:
    """Compute prices, popularity and demand of the marketplace on this day."""
    number = world.day_number(day)
    products = world.products
    launch = scenarios.launches(world, day)
    discount = _discount(world, number) + scenarios.extra_discount(world, day)
    age = np.maximum(number - launch, 0)
    newness = np.exp(-age / 14.0)
    season = _season(world, day) + scenarios.extra_demand(world, day)
    trend = _trend(world, number)
    popularity = 0.45 * products.quality + season + trend + 1.2 * discount - 0.6 * np.exp(-age / 10.0)
    on_sale = (launch <= number) & (number < products.retire)
    return MarketDay(
        day=day,
        number=number,
        on_sale=on_sale,
        price=np.maximum(1_000, np.round(products.price * (1 - discount) / 1_000) * 1_000),
        discount=discount,
        newness=newness,
        popularity=popularity,
        pull=np.concatenate([[0.0], np.cumsum(np.where(on_sale, np.exp(0.9 * popularity), 0.0))]),
        demand=WEEKDAY_DEMAND[day.weekday()] * (1 + 0.5 * _nearness_of_tet(day)),
        scenarios=scenarios,
    )


def _discount(world: World, number: int) -> Floats:
    """Promotions last a week; which product has one, and how deep, is drawn again each week, on its own weekday."""
    count = len(world.products.id)
    weekday_of_change = np.arange(count) % 7
    week = (number + weekday_of_change) // 7
    discount = np.zeros(count)
    for this_week in np.unique(week):
        random = rng(world.seed, 10, int(this_week))
        depth = np.where(random.random(count) < 0.3, random.beta(2, 5, count), 0.0)
        discount = np.where(week == this_week, depth, discount)
    return discount


def _trend(world: World, number: int) -> Floats:
    """Slow waves of fashion, each product with its own phase and period of some weeks."""
    random = rng(world.seed, 11)
    count = len(world.products.id)
    phase, period = random.uniform(0, 2 * np.pi, count), random.uniform(20, 60, count)
    return np.asarray(0.25 * np.sin(phase + 2 * np.pi * number / period))


def _season(world: World, day: date) -> Floats:
    season = world.words.season[world.products.leaf]
    school = 0.4 if day.month in {8, 9} else 0.0
    return np.select([season == TET, season == BACK_TO_SCHOOL], [0.7 * _nearness_of_tet(day), school], 0.0)


def _nearness_of_tet(day: date) -> float:
    """0 on an ordinary day, rising over five weeks to 1 on the eve of Tết."""
    ahead = min(((tet - day).days for tet in TET_DAYS if tet > day), default=365)
    return max(0.0, 1 - ahead / 35)
