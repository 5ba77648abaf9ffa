"""A shop of two buyers for each test, and a simulated town for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rankloop.mongo import connect
from tests.events.lived import Lived, lived
from tests.events.shop import Shop


@pytest.fixture
def shop(mongo: str, tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with one clean day."""
    client = connect(mongo)
    yield Shop(client, tmp_path)
    client.close()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Four dirty days of a simulated marketplace, cleaned."""
    with pytest.MonkeyPatch.context() as monkeypatch, lived(tmp_path_factory.mktemp("town"), monkeypatch) as days:
        yield days
