"""One MLflow for all tests of promotion, and a shop with nothing in it for each."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from rankloop.registry.versions import MODEL
from rankloop.settings import Settings
from tests.mlflow_server import serving
from tests.promotion.shop import Shop


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow for these tests."""
    with serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def shop(mlflow_address: str, mongo: str) -> Iterator[Shop]:
    """A shop in which nothing was decided yet."""
    shop = Shop(Settings(mlflow_uri=mlflow_address, mongo_uri=SecretStr(mongo)))
    yield shop
    if shop.mlflow.search_registered_models():
        shop.mlflow.delete_registered_model(MODEL)
