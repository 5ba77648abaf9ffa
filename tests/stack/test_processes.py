"""Processes that a killed stack left behind, here stood in for by small ones that carry its mark."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rankloop.settings import Settings
from rankloop_demo.stack import lifecycle
from rankloop_demo.stack.environment import as_variables
from rankloop_demo.stack.processes import HOME_MARK, NAME_MARK, processes_of
from tests.running import rankloop, settings_in, wait_until

pytestmark = pytest.mark.stack

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
PATIENT = "import time; print(flush=True); time.sleep(60)"

Leave = Callable[[str, str], "subprocess.Popen[bytes]"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a home of its own."""
    return settings_in(tmp_path)


@pytest.fixture
def leave(settings: Settings) -> Iterator[Leave]:
    """Start a process that looks like one of the stack's, and wait until it runs its code."""
    left: list[subprocess.Popen[bytes]] = []

    def start(name: str, code: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {HOME_MARK: str(settings.home), NAME_MARK: name}
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        left.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield start
    for found in processes_of(settings.home):
        found.signal(signal.SIGKILL)
    for process in left:
        process.communicate()


def test_stop_says_so_when_nothing_runs(settings: Settings) -> None:
    answer = rankloop("stack", "stop", environment=as_variables(settings))
    assert (answer.returncode, answer.stdout.strip()) == (0, "Nothing of the stack runs.")


def test_stop_ends_what_a_killed_supervisor_left(settings: Settings, leave: Leave) -> None:
    leave("mlflow", PATIENT)
    assert rankloop("stack", "stop", environment=as_variables(settings)).returncode == 0
    assert processes_of(settings.home) == []


def test_stop_kills_what_does_not_end_when_asked(settings: Settings, leave: Leave) -> None:
    process = leave("airflow-scheduler", STUBBORN)
    assert lifecycle.stop(settings)
    wait_until(lambda: process.poll() is not None, "the stubborn process ends")
    assert process.returncode == -9


def test_children_of_a_process_are_found_too(settings: Settings, leave: Leave) -> None:
    leave("airflow-scheduler", f"import os; os.fork(); {PATIENT}")
    wait_until(lambda: len(processes_of(settings.home)) == 2, "parent and child are found")


def test_a_stack_of_another_home_is_left_alone(settings: Settings, leave: Leave, tmp_path: Path) -> None:
    process = leave("mongo", PATIENT)
    other = settings.model_copy(update={"home": tmp_path / "other"})
    assert not lifecycle.stop(other)
    assert process.poll() is None


def test_status_tells_of_leftovers_and_how_to_end_them(settings: Settings, leave: Leave) -> None:
    leave("mongo", PATIENT)
    answer = rankloop("stack", "status", environment=as_variables(settings))
    assert answer.returncode == 0
    assert "1 process is left of a stack that was killed. `make stop` ends them." in answer.stdout
