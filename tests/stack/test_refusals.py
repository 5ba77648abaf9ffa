"""What keeps a stack from starting: each is one clear message and a failed command, and nothing is started."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rankloop.settings import Settings
from rankloop_demo.stack.environment import as_variables
from rankloop_demo.stack.home import HomeError
from rankloop_demo.stack.lifecycle import start
from rankloop_demo.stack.processes import processes_of
from rankloop_demo.stack.tools import MissingToolError, mongo_server
from tests.running import clean_environment, rankloop, settings_in

pytestmark = pytest.mark.stack


def refusal(settings: Settings, **environment: str) -> str:
    """What `rankloop stack start` complains of, all on one line."""
    answer = rankloop("stack", "start", environment=as_variables(settings) | environment)
    assert answer.returncode == 1, answer.stdout
    assert "Traceback" not in answer.stderr
    assert processes_of(settings.home) == []
    return " ".join(answer.stderr.split())


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Settings]:
    """Settings whose ports are all taken, by this process."""
    settings = settings_in(tmp_path)
    with ExitStack() as held:
        for port in settings.ports.model_dump().values():
            held.enter_context(socket.create_server(("127.0.0.1", port)))
        yield settings


def test_a_taken_port_is_reported_with_its_holder_and_the_way_to_another(taken: Settings) -> None:
    port = taken.ports.airflow
    message = refusal(taken)
    assert f"port {port} for Airflow is taken by" in message
    assert f"(process {os.getpid()})" in message
    assert re.search(r"in \.env so that it stays: RANKLOOP_PORTS__AIRFLOW=\d+", message)


def test_all_taken_ports_are_reported_at_once(taken: Settings) -> None:
    message = refusal(taken)
    for port in taken.ports.model_dump().values():
        assert f"port {port} for" in message


def test_a_refused_start_makes_no_password_that_nobody_was_shown(taken: Settings) -> None:
    refusal(taken)
    assert not (taken.home / "passwords.json").exists()


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    message = refusal(settings_in(tmp_path), RANKLOOP_PORTS__AIRFLOW="eighty")
    assert "setting ports.airflow = 'eighty'" in message


def test_a_mistyped_setting_is_named_with_the_nearest_right_one(tmp_path: Path) -> None:
    message = refusal(settings_in(tmp_path), RANKLOOP_PORT__AIRFLOW="8081")
    assert "RANKLOOP_PORT__AIRFLOW" in message
    assert "Did you mean RANKLOOP_PORTS__AIRFLOW?" in message


def test_a_file_in_the_way_of_the_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    message = refusal(settings_in(tmp_path))
    assert f"the home folder {tmp_path / 'home'} cannot be written" in message
    assert "Set RANKLOOP_HOME" in message


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_home_where_nobody_may_write_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path).model_copy(update={"home": Path("/proc/rankloop")})
    with pytest.raises(HomeError, match="the home folder /proc/rankloop cannot be written"):
        start(settings)


def test_a_mongodb_that_is_down_is_named_without_its_password(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    address = f"127.0.0.1:{settings.ports.mongo}"
    message = refusal(settings, RANKLOOP_MONGO_URI=f"mongodb://me:secret@{address}")
    assert f"MongoDB at mongodb://{address} does not answer" in message
    assert "secret" not in message


def test_without_the_demo_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda _: None)
    with pytest.raises(MissingToolError, match="Run `make demo`, or set RANKLOOP_MONGO_URI"):
        mongo_server()


def test_a_missing_server_ends_the_start_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda _: None)
    settings = settings_in(tmp_path)
    with pytest.raises(MissingToolError):
        start(settings)
    assert processes_of(settings.home) == []


def test_a_missing_server_fails_the_command_with_the_way_to_get_it(tmp_path: Path) -> None:
    without_it = (
        "import sys; from importlib import metadata; from rankloop.cli.main import main\n"
        "metadata.files = lambda name: []\n"
        "sys.argv = ['rankloop', 'stack', 'start']; main()"
    )
    environment = clean_environment() | as_variables(settings_in(tmp_path))
    command = [sys.executable, "-c", without_it]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "secantusd-rs of the `demo` extra is missing. Run `make demo`" in " ".join(answer.stderr.split())
