"""Shops that are watched: one in which nothing happens, and one in which tastes move."""

from collections.abc import Iterator

import pytest

from tests.mlflow_server import serving
from tests.mongo_server import serving as mongo_serving
from tests.monitoring.watched import Maker, Watched


@pytest.fixture(scope="session")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Makes such shops, beside an MLflow and a MongoDB that only they use."""
    folder = tmp_path_factory.mktemp("watched")
    with serving(folder / "mlflow") as mlflow, mongo_serving(folder / "mongo") as mongo:
        yield Maker(folder / "shops", mlflow, mongo)


@pytest.fixture(scope="session")
def quiet(maker: Maker) -> Watched:
    """A shop in which nothing happens."""
    return maker.watched("quiet")


@pytest.fixture(scope="session")
def shifted(maker: Maker) -> Watched:
    """A shop in which tastes move on the first day of our rankings."""
    return maker.watched("shifted", "taste_shift")
