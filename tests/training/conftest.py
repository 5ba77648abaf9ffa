"""A small market with its features, an MLflow, and a training that went well, for all tests of the steps."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from threadpoolctl import threadpool_limits

from rankloop.calendar import days_between
from rankloop.settings import Settings
from rankloop_demo.simulator.living import Marketplace
from tests.building import aggregate_day, build_features
from tests.features.market import FIRST_DAY, ZONE, clean_events, put
from tests.mlflow_server import serving
from tests.mongo_server import serving as mongo_serving
from tests.training.steps import AS_OF, EASY_GATE, SMALL, Told, carried_out


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Rows scored one by one wait for idle threads most of the time where other tests keep the cores busy."""
    with threadpool_limits(1, "openmp"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # for processes that are started
        yield


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow in which nobody but these tests registers anything."""
    with serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(scope="session")
def mongo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MongoDB that goes with this MLflow: the ledger of another would tell of versions it lacks."""
    with mongo_serving(tmp_path_factory.mktemp("mongo")) as address:
        yield address


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake has a week of events, and the features that lists of five days need."""
    settings = Settings(home=tmp_path_factory.mktemp("market"))
    place = Marketplace(seed=7, scale=0.04, first_day=FIRST_DAY, timezone=ZONE, dirt=False)
    for day, events in clean_events(place, days_between(FIRST_DAY, AS_OF)).items():
        put(settings, day, events)
        if day < AS_OF - timedelta(days=1):
            aggregate_day(settings, day)
            build_features(settings, day)
    return settings.home


@pytest.fixture(scope="session")
def shop(market: Path, mlflow_address: str, mongo_address: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a shop whose history is just long enough, shared by tests that leave it as it is."""
    home = shutil.copytree(market, tmp_path_factory.mktemp("shop") / "home")
    return Settings(
        home=home, mlflow_uri=mlflow_address, mongo_uri=SecretStr(mongo_address), training=SMALL, gate=EASY_GATE
    )


@pytest.fixture(scope="session")
def clean(shop: Settings) -> Told:
    """A training that nothing happened to, from the plan to the registered challenger."""
    return carried_out(shop, "clean")


@pytest.fixture(scope="session")
def killed_shop(
    market: Path, mlflow_address: str, mongo_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The same shop for the training that is killed, with no training set yet."""
    home = shutil.copytree(market, tmp_path_factory.mktemp("killed") / "home")
    return Settings(
        home=home, mlflow_uri=mlflow_address, mongo_uri=SecretStr(mongo_address), training=SMALL, gate=EASY_GATE
    )


@pytest.fixture
def leaky_shop(market: Path, mlflow_address: str, mongo_address: str, tmp_path: Path) -> Settings:
    """The same shop for one test alone, with no training set yet."""
    home = shutil.copytree(market, tmp_path / "home")
    return Settings(
        home=home, mlflow_uri=mlflow_address, mongo_uri=SecretStr(mongo_address), training=SMALL, gate=EASY_GATE
    )
