"""What tests share: how they are shared out, and the servers that many of them need."""

import os
from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from rankloop.settings import PREFIX
from tests.mongo_server import emptied, serving
from tests.running import DEMO_WITHIN_S

# Side by side, threads that spin while they wait would take the cores from other tests, as from other tasks.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

E2E = "tests/e2e/"
WHOLE = tuple(
    f"tests/{name}/" for name in ("e2e", "monitoring", "scoring", "training", "ranking", "promotion", "serving")
)
"""Folders whose tests share servers, a lake and a model that take long to make: one process runs all of a folder."""
FIRST = (E2E, "tests/features/test_parity.py", "tests/test_pinned", "tests/monitoring/", "tests/scoring/")
"""What takes longest begins first, so that nothing long begins last."""


class FileByFile(LoadScopeScheduling):
    """Side by side run files, each whole, since its tests share what it set up; some folders share that too."""

    def _split_scope(self, nodeid: str) -> str:
        whole = next((folder for folder in WHOLE if nodeid.startswith(folder)), None)
        return whole or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileByFile:
    """How tests are shared out; groups by mark are lost on pytest 9.2."""
    return FileByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Have xdist share files out in the order below, and not those with most tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first; the first test of e2e runs the demo, and is given the time for it."""
    items.sort(key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))
    for item in items:
        if item.nodeid.startswith(E2E):
            item.add_marker(pytest.mark.timeout(DEMO_WITHIN_S + 300))


@pytest.fixture(scope="session", autouse=True)
def _nobody_elses_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads a setting of the developer, whose MongoDB may be a real one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(name)
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        yield


@pytest.fixture(scope="session")
def mongo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one MongoDB-compatible server for all tests; take `mongo` instead."""
    with serving(tmp_path_factory.mktemp("mongo")) as address:
        yield address


@pytest.fixture
def mongo(mongo_address: str) -> Iterator[str]:
    """The address of a MongoDB with nothing in it, and with nothing in it for whoever comes next."""
    yield emptied(mongo_address)
    emptied(mongo_address)
