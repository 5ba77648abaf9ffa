"""One MLflow for all tests of the registry, and a training of its own for each."""

from collections.abc import Iterator
from datetime import date
from itertools import count

import pytest
from mlflow import MlflowClient

from rankloop.registry.connection import Registry
from rankloop.registry.tracking import TrainingRun, open_training
from rankloop.settings import Settings
from tests.mlflow_server import serving

AS_OF = date(2026, 11, 16)
NUMBERS = count(1)


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one MLflow server for all tests."""
    with serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def settings(mlflow_address: str) -> Settings:
    return Settings(mlflow_uri=mlflow_address)


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return f"scheduled__2026-11-16T01:00:00+00:00_{next(NUMBERS)}"


@pytest.fixture
def run(settings: Settings, key: str) -> TrainingRun:
    """A training just begun."""
    return open_training(Registry(settings.mlflow), key, AS_OF, "weekly")


@pytest.fixture
def client(mlflow_address: str) -> MlflowClient:
    """MLflow, asked past the registry."""
    return MlflowClient(mlflow_address, mlflow_address)
