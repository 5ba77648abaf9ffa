"""The real stack: Airflow, MLflow and the embedded MongoDB, started, used, killed and ended as people do."""

import itertools
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from pymongo.errors import PyMongoError

from rankloop.mongo import connect
from rankloop.settings import Settings
from rankloop_demo.stack import lifecycle
from rankloop_demo.stack.environment import as_variables
from rankloop_demo.stack.home import prepare, read_private
from rankloop_demo.stack.lifecycle import StackFacts
from rankloop_demo.stack.logbook import log_file
from rankloop_demo.stack.people import PEOPLE, SignInError, api_token, passwords_file, sign_in
from rankloop_demo.stack.ports import refuse_taken_ports
from rankloop_demo.stack.processes import SUPERVISOR, processes_of
from tests.running import RANKLOOP, RunningStack, clean_environment, free_ports, rankloop, settings_in, wait_until

pytestmark = pytest.mark.stack

AIRFLOW = ["airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"]
SERVERS = ["mongo", "mlflow", "serving", *AIRFLOW]


def secrets_of(home: Path) -> list[str]:
    """Every key and password that this home holds."""
    return [*read_private(home / "keys.json").values(), *read_private(passwords_file(home)).values()]


def test_every_server_is_healthy_and_said_to_be(stack: RunningStack) -> None:
    answer = stack.rankloop("stack", "status")
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert [line[:2] for line in lines[: len(SERVERS)]] == [[name, "healthy"] for name in SERVERS]
    assert stack.mlflow in answer.stdout


def test_the_first_start_gives_out_the_passwords_it_made(stack: RunningStack) -> None:
    assert stack.facts.new_passwords == read_private(passwords_file(stack.settings.home))


def test_nothing_listens_but_on_this_machine_alone(stack: RunningStack) -> None:
    ports = stack.settings.ports
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in processes_of(stack.settings.home)
        for connection in process.handle.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", port) for port in ports.model_dump().values()}


def test_every_descendant_carries_the_mark_though_some_rename_themselves(stack: RunningStack) -> None:
    def all_are_marked() -> bool:
        marked = {process.pid: process.name for process in processes_of(stack.settings.home)}
        supervisor = next(pid for pid, name in marked.items() if name == SUPERVISOR)
        descendants = {child.pid for child in psutil.Process(supervisor).children(recursive=True)}
        return descendants == marked.keys() - {supervisor} and set(marked.values()) == {SUPERVISOR, *SERVERS}

    # A task may begin or end between the two looks.
    wait_until(all_are_marked, "every descendant to carry the mark", within_s=20)


@pytest.mark.parametrize("person", PEOPLE)
def test_each_of_the_four_signs_in(stack: RunningStack, person: str) -> None:
    headers = {"Authorization": f"Bearer {api_token(stack.settings, person)}"}
    assert httpx.get(f"{stack.airflow}/api/v2/dags", headers=headers).status_code == 200


def test_a_wrong_password_does_not_sign_in(stack: RunningStack) -> None:
    with pytest.raises(SignInError, match=r"did not let admin in \(HTTP 401\)"):
        sign_in(stack.settings, "admin", "guessed")


def test_nobody_reads_airflow_without_signing_in(stack: RunningStack) -> None:
    assert httpx.get(f"{stack.airflow}/api/v2/dags").status_code == 401


def test_the_viewer_changes_nothing(stack: RunningStack) -> None:
    headers = {"Authorization": f"Bearer {api_token(stack.settings, 'viewer')}"}
    answer = httpx.post(f"{stack.airflow}/api/v2/variables", headers=headers, json={"key": "k", "value": "v"})
    assert answer.status_code == 403


@pytest.mark.parametrize("command", ["start", "run"])
def test_starting_a_stack_that_is_up_says_so_and_changes_nothing(stack: RunningStack, command: str) -> None:
    before = [process.pid for process in processes_of(stack.settings.home) if process.name == SUPERVISOR]
    answer = stack.rankloop("stack", command)
    assert (answer.returncode, "The stack is already up." in answer.stdout) == (0, True)
    assert [process.pid for process in processes_of(stack.settings.home) if process.name == SUPERVISOR] == before


def test_a_later_start_shows_no_password_but_says_where_they_are(stack: RunningStack) -> None:
    answer = stack.rankloop("stack", "start")
    assert str(passwords_file(stack.settings.home)) in answer.stdout
    assert not [secret for secret in secrets_of(stack.settings.home) if secret in answer.stdout]


def test_a_start_on_other_ports_is_refused_while_the_stack_runs(stack: RunningStack) -> None:
    other = stack.settings.model_copy(update={"ports": free_ports()})
    answer = rankloop("stack", "start", environment=as_variables(other))
    assert answer.returncode == 1
    assert "runs already, with another RANKLOOP_PORTS__AIRFLOW" in answer.stderr


def test_a_scenario_asked_of_a_stack_that_runs_is_not_quietly_forgotten(stack: RunningStack) -> None:
    wanted = {"RANKLOOP_SIMULATOR__SCENARIOS": '{"taste_shift": "2099-01-01"}'}
    answer = rankloop("demo", environment=stack.environment | wanted)
    assert answer.returncode == 1
    assert "runs already, with another RANKLOOP_SIMULATOR__SCENARIOS. Stop it first" in " ".join(answer.stderr.split())


def test_status_knows_the_ports_of_the_stack_that_runs(stack: RunningStack) -> None:
    other = stack.settings.model_copy(update={"ports": free_ports()})
    assert stack.airflow in rankloop("stack", "status", environment=as_variables(other)).stdout


def test_secrets_are_in_files_of_their_owner_and_in_no_log_or_command_line(stack: RunningStack) -> None:
    home = stack.settings.home
    for path in (home / "keys.json", passwords_file(home)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = log_file(home).read_text() + "".join(" ".join(process.handle.cmdline()) for process in processes_of(home))
    assert not [secret for secret in secrets_of(home) if secret in said]


@dataclass(frozen=True)
class KilledAndStartedAgain:
    """What was there before every process of a stack got SIGKILL, and what is there after the next start."""

    settings: Settings
    before: list[str]
    """Keys and passwords."""
    facts: StackFacts
    acknowledged: set[int]
    """The documents that the database said it had taken, up to the kill."""


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledAndStartedAgain]:
    """A stack that was killed whole while documents were written, and started again."""
    settings = settings_in(tmp_path_factory.mktemp("survivor"))
    try:
        lifecycle.start(settings)
        before = secrets_of(settings.home)
        make_experiment(settings, "from before the kill")
        make_variable(settings, "kept", "as it was")
        acknowledged = insert_until(settings, lambda: kill_all(settings))
        assert processes_of(settings.home) == []
        yield KilledAndStartedAgain(settings, before, lifecycle.start(settings), acknowledged)
    finally:
        lifecycle.stop(settings)


def insert_until(settings: Settings, ending: Callable[[], None]) -> set[int]:
    """The ids of documents acknowledged while the database met its end."""
    acknowledged: set[int] = set()

    def insert() -> None:
        with connect(settings.mongo, patience_s=1) as client, suppress(PyMongoError):
            for number in itertools.count():
                client.test.documents.insert_one({"_id": number})
                acknowledged.add(number)

    writer = threading.Thread(target=insert)
    writer.start()
    wait_until(lambda: len(acknowledged) > 500, "500 documents are written")
    ending()
    writer.join()
    return acknowledged


def kill_all(settings: Settings) -> None:
    """Give every process of the stack, its supervisor first, no chance to say goodbye."""
    while left := processes_of(settings.home):
        for process in left:
            process.signal(signal.SIGKILL)


def make_experiment(settings: Settings, name: str) -> None:
    """Create an experiment through MLflow's API."""
    address = f"http://127.0.0.1:{settings.ports.mlflow}/api/2.0/mlflow/experiments/create"
    httpx.post(address, json={"name": name}, timeout=30).raise_for_status()


def make_variable(settings: Settings, key: str, value: str) -> None:
    """Create a variable through Airflow's API; it is encrypted with the fernet key."""
    headers = {"Authorization": f"Bearer {api_token(settings, 'oncall')}"}
    address = f"http://127.0.0.1:{settings.ports.airflow}/api/v2/variables"
    httpx.post(address, headers=headers, json={"key": key, "value": value}, timeout=30).raise_for_status()


def test_a_kill_loses_no_document_that_was_acknowledged(survivor: KilledAndStartedAgain) -> None:
    with connect(survivor.settings.mongo) as client:
        documents = {document["_id"] for document in client.test.documents.find()}
    assert survivor.acknowledged <= documents


def test_a_kill_loses_no_experiment(survivor: KilledAndStartedAgain) -> None:
    address = f"http://127.0.0.1:{survivor.settings.ports.mlflow}/api/2.0/mlflow/experiments/get-by-name"
    answer = httpx.get(address, params={"experiment_name": "from before the kill"}, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["experiment"]["artifact_location"].startswith("mlflow-artifacts:/")


def test_a_kill_loses_no_variable(survivor: KilledAndStartedAgain) -> None:
    headers = {"Authorization": f"Bearer {api_token(survivor.settings, 'admin')}"}
    address = f"http://127.0.0.1:{survivor.settings.ports.airflow}/api/v2/variables/kept"
    assert httpx.get(address, headers=headers, timeout=30).json()["value"] == "as it was"


def test_the_second_start_makes_nothing_anew(survivor: KilledAndStartedAgain) -> None:
    assert survivor.facts.new_passwords == {}
    assert secrets_of(survivor.settings.home) == survivor.before
    log = log_file(survivor.settings.home).read_text()
    assert log.count("airflow-prepare       | started") == 1


def test_two_homes_run_side_by_side(stack: RunningStack, survivor: KilledAndStartedAgain) -> None:
    assert lifecycle.is_up(stack.settings)
    assert lifecycle.is_up(survivor.settings)


def test_stop_leaves_no_process_and_no_port(stack: RunningStack, survivor: KilledAndStartedAgain) -> None:
    answer = rankloop("stack", "stop", environment=as_variables(survivor.settings))
    assert (answer.returncode, answer.stdout.strip()) == (0, "The stack has ended.")
    assert processes_of(survivor.settings.home) == []
    refuse_taken_ports(survivor.settings.ports, ["airflow", "mlflow", "mongo"])
    assert lifecycle.is_up(stack.settings)


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[tuple[Settings, "subprocess.Popen[str]"]]:
    """A stack in the foreground whose processes all exist and are far from healthy."""
    settings = settings_in(tmp_path)
    environment = clean_environment() | as_variables(settings)
    command = [RANKLOOP, "stack", "run"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        wait_until(lambda: {"mongo", "mlflow"} <= names_of(settings), "the first servers are started")
        yield settings, run
        lifecycle.stop(settings)
        run.kill()


def names_of(settings: Settings) -> set[str]:
    """Which processes of the stack run."""
    return {process.name for process in processes_of(settings.home)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_a_foreground_stack_whole_even_while_it_starts(
    starting: tuple[Settings, "subprocess.Popen[str]"], number: signal.Signals
) -> None:
    settings, run = starting
    run.send_signal(number)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 0, output
    assert processes_of(settings.home) == []


def test_stop_ends_the_orphans_of_a_killed_supervisor(starting: tuple[Settings, "subprocess.Popen[str]"]) -> None:
    settings, run = starting
    run.kill()
    supervisor = next(process for process in processes_of(settings.home) if process.name == SUPERVISOR)
    supervisor.signal(signal.SIGKILL)
    wait_until(lambda: SUPERVISOR not in names_of(settings), "the supervisor is dead")
    assert "mlflow" in names_of(settings)
    assert rankloop("stack", "stop", environment=as_variables(settings)).returncode == 0
    assert processes_of(settings.home) == []


def test_a_foreground_stack_outlives_its_supervisor_in_no_process(
    starting: tuple[Settings, "subprocess.Popen[str]"],
) -> None:
    settings, run = starting
    next(process for process in processes_of(settings.home) if process.name == SUPERVISOR).signal(signal.SIGKILL)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "the stack was ended from outside" in output
    assert processes_of(settings.home) == []


def test_a_server_that_dies_at_the_start_is_named_with_its_last_words_and_the_rest_is_ended(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    prepare(settings.home)
    (settings.home / "mongo" / "WiredTiger.lock").mkdir()
    try:
        answer = rankloop("stack", "start", environment=as_variables(settings))
    finally:
        left = lifecycle.stop(settings)
    assert (answer.returncode, left) == (1, False)
    assert "mongo ended by itself with code 1" in answer.stderr
    assert "failed to open storage" in answer.stderr
    assert f"The last that {log_file(settings.home)} has of it:" in answer.stderr
