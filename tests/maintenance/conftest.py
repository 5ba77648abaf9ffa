"""One MLflow for all tests of maintenance."""

from collections.abc import Iterator

import pytest

from tests.mlflow_server import serving


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow for these tests."""
    with serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address
