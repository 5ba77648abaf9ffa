"""The smallest marketplaces that show the thing."""

from datetime import date

import pytest

from rankloop_demo.simulator.living import Marketplace

FIRST_DAY = date(2026, 10, 1)


@pytest.fixture(scope="session")
def clean_place() -> Marketplace:
    """A tenth of the demo's marketplace, without dirt: one block."""
    return Marketplace(seed=7, scale=0.1, first_day=FIRST_DAY, timezone="Asia/Ho_Chi_Minh", dirt=False)


@pytest.fixture(scope="session")
def dirty_place() -> Marketplace:
    """The demo's marketplace, dirt and all: four blocks."""
    return Marketplace(seed=7, scale=1.0, first_day=FIRST_DAY, timezone="Asia/Ho_Chi_Minh")
