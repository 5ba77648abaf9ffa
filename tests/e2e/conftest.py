"""The stack that all share, and the demo that was run on it once; it ends with the last test of this folder."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rankloop.calendar import yesterday
from rankloop.settings import Settings
from rankloop.settings.drift import DriftSettings
from rankloop.settings.gate import GateSettings
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.settings.promotion import PromotionSettings
from rankloop.settings.simulator import SimulatorSettings
from rankloop.settings.training import TrainingSettings
from rankloop_demo.stack import lifecycle
from rankloop_demo.stack.airflow_api import signed_in
from rankloop_demo.stack.environment import as_variables
from tests.running import RunningStack, settings_in

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
HISTORY, LOOP = 6, 3
"""Days lived before the first training, and after it; each of these is judged once the one after it is there."""
ANSWER_WITHIN_S = 150
LENIENT = GateSettings(min_lists=30, segment_kinds=(), resamples=200)
FOLLOWERS = ("batch_scoring", "drift_checks")


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One healthy stack, shared by every test that harms none; ended after the last."""
    # A tenth of the demo's marketplace and a few days of it show what there is to show.
    # On its last day the largest shop sends prices in another unit, for the drift checks to find.
    last = yesterday(datetime.now(UTC), ZoneInfo(Settings.model_fields["timezone"].default))
    simulator = SimulatorSettings(scale=0.1, days=HISTORY, loop_days=LOOP, strike="", scenarios={"unit_bug": last})
    # No day is built within four seconds, so each is late, and its alert can be looked for.
    settings = settings_in(
        tmp_path_factory.mktemp("stack"),
        simulator=simulator,
        deadline_hours=0.001,
        training=SHORT,
        gate=LENIENT,
        monitoring=MonitoringSettings(mode="on"),
        # What a page shows has tests of its own.
        drift=DriftSettings(report_rows=1000, report_columns=10),
        # Long enough for every answer that a test gives, short enough to wait for the one that nobody gives.
        promotion=PromotionSettings(answer_within_days=ANSWER_WITHIN_S / 86_400),
    )
    facts = lifecycle.start(settings)
    try:
        yield RunningStack(settings, facts, as_variables(settings))
    finally:
        lifecycle.stop(settings)


@pytest.fixture(scope="package")
def demo(stack: RunningStack) -> str:
    """What `make demo` prints on a stack that is up, when it is run for the first time."""
    answer = stack.rankloop("demo")
    assert answer.returncode == 0, answer.stderr
    let_nothing_follow(stack.settings)
    return answer.stdout


def let_nothing_follow(settings: Settings) -> None:
    """Pause what would rank and measure after each day and each promotion; whoever looks at that switches it on."""
    api = signed_in(settings, "admin")
    for dag in FOLLOWERS:
        api.ask("PATCH", f"/dags/{dag}", {"is_paused": True})
