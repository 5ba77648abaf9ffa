"""What tests share: one running stack for all that need one."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from rankloop.calendar import yesterday
from rankloop.monitoring_settings import MonitoringSettings
from rankloop.settings import PREFIX, GateSettings, PromotionSettings, Settings, SimulatorSettings
from rankloop.stack import lifecycle
from rankloop.stack.environment import as_variables
from rankloop.training_settings import TrainingSettings
from tests.mongo_server import emptied, serving
from tests.running import DEMO_WITHIN_S, RunningStack, settings_in

# The shortest training: four days of lists, few trees. So few lists say nothing of a segment.
SHORT = TrainingSettings(
    train_days=2,
    valid_days=1,
    test_blocks=1,
    test_block_days=1,
    idle_share=0.2,
    max_iter=2,
    xgboost={"fit_params": {"num_boost_round": 60}},
)
HISTORY, LOOP = 6, 2
"""Days lived before the first training, and after it; the first of these is judged once the second is there."""
ANSWER_WITHIN_S = 150
E2E = "tests/e2e/"
LENIENT = GateSettings(min_lists=30, segment_kinds=(), resamples=200)


class FileByFile(LoadScopeScheduling):
    """Side by side run files, each whole, since its tests share what it set up; some folders share that too."""

    def _split_scope(self, nodeid: str) -> str:
        whole = next((folder for folder in (E2E, "tests/training/") if nodeid.startswith(folder)), None)
        return whole or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileByFile:
    """How tests are shared out; groups by mark are lost on pytest 9.2."""
    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of e2e runs the demo, and is given the time for it."""
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
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One healthy stack, shared by every test that harms none; ended after the last."""
    # A tenth of the demo's marketplace and a few days of it show what there is to show.
    # On its last day the largest shop sends prices in another unit, for the drift checks to find.
    last = yesterday(datetime.now(UTC), ZoneInfo(Settings.model_fields["timezone"].default))
    simulator = SimulatorSettings(scale=0.1, days=HISTORY, loop_days=LOOP, scenarios={"unit_bug": last})
    # No day is built within four seconds, so each is late, and its alert can be looked for.
    settings = settings_in(
        tmp_path_factory.mktemp("stack"),
        simulator=simulator,
        deadline_hours=0.001,
        training=SHORT,
        gate=LENIENT,
        monitoring=MonitoringSettings(mode="on"),
        # Long enough for every answer that a test gives, short enough to wait for the one that nobody gives.
        promotion=PromotionSettings(answer_within_days=ANSWER_WITHIN_S / 86_400),
    )
    facts = lifecycle.start(settings)
    try:
        yield RunningStack(settings, facts, as_variables(settings))
    finally:
        lifecycle.stop(settings)


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
