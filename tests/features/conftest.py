"""The smallest marketplaces that show the thing."""

import shutil
from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from rankloop.settings import Settings
from rankloop_demo.simulator.living import Marketplace
from tests.building import aggregate_day, build_features
from tests.features.market import FIRST_DAY, ZONE, DayOfEvents, clean_events, put, settings_for

DAYS = [FIRST_DAY + timedelta(days=number) for number in range(4)]


@pytest.fixture(scope="session")
def lived() -> Mapping[date, DayOfEvents]:
    """Four days of a fiftieth of the demo's marketplace."""
    place = Marketplace(seed=7, scale=0.02, first_day=FIRST_DAY, timezone=ZONE, dirt=False)
    return clean_events(place, DAYS)


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]) -> Settings:
    """Features as of the second day of a small market."""
    settings = settings_for(tmp_path_factory.mktemp("known"))
    for day in DAYS[:2]:
        put(settings, day, lived[day])
        aggregate_day(settings, day)
    build_features(settings, DAYS[1])
    return settings


@pytest.fixture(scope="session")
def known_twice(
    tmp_path_factory: pytest.TempPathFactory, known: Settings, lived: Mapping[date, DayOfEvents]
) -> Settings:
    """The same, and features as of the third day."""
    folder = tmp_path_factory.mktemp("known_twice")
    shutil.copytree(known.home, folder, dirs_exist_ok=True)
    settings = settings_for(folder)
    put(settings, DAYS[2], lived[DAYS[2]])
    aggregate_day(settings, DAYS[2])
    build_features(settings, DAYS[2])
    return settings
