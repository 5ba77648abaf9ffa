"""The smallest marketplaces that show the thing."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from rankloop_demo.simulator.living import Marketplace
from tests.features.market import FIRST_DAY, ZONE, DayOfEvents, clean_events

DAYS = [FIRST_DAY + timedelta(days=number) for number in range(4)]


@pytest.fixture(scope="session")
def lived() -> Mapping[date, DayOfEvents]:
    """Four days of a fiftieth of the demo's marketplace."""
    place = Marketplace(seed=7, scale=0.02, first_day=FIRST_DAY, timezone=ZONE, dirt=False)
    return clean_events(place, DAYS)
