"""A small market in a lake, an MLflow and a MongoDB: all that rankings are made from."""

from collections.abc import Iterator, Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import SecretStr

from rankloop.registry.versions import MODEL
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.scoring import ScoringSettings
from tests.building import aggregate_day, build_features
from tests.features.conftest import DAYS, lived
from tests.features.market import DayOfEvents, put
from tests.mlflow_server import serving
from tests.promotion.shop import Shop

__all__ = ["lived"]
DAY = DAYS[2]


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow for these tests."""
    with serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]) -> str:
    """A lake with features as of two days, for tests that change nothing in it."""
    settings = Settings(home=tmp_path_factory.mktemp("built"))
    for day in DAYS:
        put(settings, day, {table: _of_few(rows) for table, rows in lived[day].items()})
        aggregate_day(settings, day)
    for day in (DAYS[1], DAY):
        build_features(settings, day)
    return settings.lake_root


def _of_few(rows: pa.Table) -> pa.Table:
    """The rows of one of the ten groups of buyers: every group with buyers takes its time."""
    if "account_id" not in rows.column_names:
        return rows
    return rows.filter(pc.is_in(pc.utf8_slice_codeunits(rows["account_id"].cast("string"), -1), pa.array(["3"])))


@pytest.fixture
def market(built: str, mlflow_address: str, mongo: str) -> Iterator[Shop]:
    """The market before anything was decided or ranked."""
    shop = Shop(
        Settings(
            lake=built,
            mlflow_uri=mlflow_address,
            mongo_uri=SecretStr(mongo),
            scoring=ScoringSettings(top_n=20, candidates=40, explore=3),
            features=FeatureSettings(threads=1),
        )
    )
    yield shop
    if shop.mlflow.search_registered_models():
        shop.mlflow.delete_registered_model(MODEL)
