"""The demo, run once on the stack that all share."""

import pytest

from tests.running import RunningStack


@pytest.fixture(scope="session")
def demo(stack: RunningStack) -> str:
    """What `make demo` prints on a stack that is up, when it is run for the first time."""
    answer = stack.rankloop("demo")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
