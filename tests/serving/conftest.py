"""One MLflow for all tests of serving, and a lake that none of them changes."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from pydantic import SecretStr

from rankloop.registry.versions import MODEL
from rankloop.settings import Settings
from rankloop.settings.serving import ServingSettings
from rankloop_demo.simulator.living import Marketplace
from tests.features.market import FIRST_DAY, ZONE, DayOfEvents, build, clean_events, settings_for
from tests.mlflow_server import serving as mlflow_serving
from tests.mongo_server import emptied
from tests.running import free_ports
from tests.serving.shop import Shop

DAYS = [FIRST_DAY + timedelta(days=number) for number in range(4)]
QUICK = ServingSettings(look_every_s=0.1, mongo_timeout_s=1.0)


@pytest.fixture(scope="session")
def lived() -> Mapping[date, DayOfEvents]:
    """Four days of a fiftieth of the demo's marketplace."""
    place = Marketplace(seed=7, scale=0.02, first_day=FIRST_DAY, timezone=ZONE, dirt=False)
    return clean_events(place, DAYS)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]) -> Path:
    """A home whose lake has features as of the last of those days."""
    folder = tmp_path_factory.mktemp("served")
    build(settings_for(folder), lived)
    return folder


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow for these tests."""
    with mlflow_serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(scope="module")
def shop(home: Path, mlflow_address: str, mongo_address: str) -> Iterator[Shop]:
    """A shop of a module's own, in which nothing was decided or published yet."""
    mongo = emptied(mongo_address)
    settings = Settings(
        home=home, mlflow_uri=mlflow_address, mongo_uri=SecretStr(mongo), ports=free_ports(), serving=QUICK
    )
    yield Shop(settings)
    client = MlflowClient(mlflow_address, mlflow_address)
    if client.search_registered_models():
        client.delete_registered_model(MODEL)
