"""Things that happen to a marketplace, off by default, each from a given day on.

Every one of them changes what a monitor should see: `tet_campaign` the inputs and the demand, `taste_shift` what
buyers like while the inputs stay, `new_shop_wave` the share of cold products, `unit_bug` the data alone.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from rankloop_demo.simulator.vocabulary import TET, Bools, Floats, Ints
from rankloop_demo.simulator.world import World, rng

CAMPAIGN_DAYS = 21
WAVE_SHARE = 0.15
UNIT_BUG_FACTOR = 1000


@dataclass(frozen=True)
class Scenarios:
    """Which scenario runs from which day."""

    first_day: dict[str, date] = field(default_factory=dict)

    def running(self, name: str, day: date) -> bool:
        """Return whether this scenario has begun by this day."""
        return name in self.first_day and day >= self.first_day[name]

    def _campaign(self, world: World, day: date) -> Bools:
        first = self.first_day.get("tet_campaign")
        on = first is not None and 0 <= (day - first).days < CAMPAIGN_DAYS
        return np.asarray((world.words.season[world.products.leaf] == TET) & on)

    def extra_discount(self, world: World, day: date) -> Floats:
        """`tet_campaign`: prices of seasonal products fall by a fifth for three weeks."""
        return np.where(self._campaign(world, day), 0.2, 0.0)

    def extra_demand(self, world: World, day: date) -> Floats:
        """`tet_campaign`: demand moves to the same products."""
        return np.where(self._campaign(world, day), 1.0, 0.0)

    def launches(self, world: World, day: date) -> Ints:
        """`new_shop_wave`: a share of the products that were to come later comes on the scenario's first day."""
        launch = world.products.launch
        first = self.first_day.get("new_shop_wave")
        if first is None or day < first:
            return launch
        number = world.day_number(first)
        on_sale = int(((launch <= number) & (number < world.products.retire)).sum())
        to_come = np.flatnonzero(launch > number)
        wave = rng(world.seed, 20).permutation(to_come)[: round(WAVE_SHARE * on_sale)]
        return np.where(np.isin(np.arange(len(launch)), wave), number, launch)

    def tastes_move(self, day: date) -> bool:
        """`taste_shift`: from its first day buyers go by a low price, and hardly by the favourites that they had."""
        return self.running("taste_shift", day)

    def wrong_unit(self, world: World, day: date) -> Bools:
        """`unit_bug`: by product, whether its price arrives in thousands of dong (the largest shop's do)."""
        largest = int(np.bincount(world.products.shop).argmax())
        return np.asarray((world.products.shop == largest) & self.running("unit_bug", day))
