"""The demo, run once on the stack that all share."""

import pytest

from rankloop.settings import Settings
from rankloop.stack.airflow_api import signed_in
from tests.running import RunningStack

FOLLOWERS = ("batch_scoring", "drift_checks")


@pytest.fixture(scope="session")
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
