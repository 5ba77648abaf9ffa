"""What the processes of a stack, and the tasks they run, are told."""

from datetime import date
from pathlib import Path

import pytest

from rankloop.settings import Settings
from rankloop.settings.serving import ServingSettings
from rankloop.settings.simulator import SimulatorSettings
from rankloop_demo.stack.environment import as_variables, stack_environment
from rankloop_demo.stack.keys import Keys
from rankloop_demo.stack.tools import commands
from tests.running import clean_environment, settings_in

KEYS = Keys("the-fernet-key", "the-jwt-key", "the-session-key")
MONGO = "mongodb://me:secret@db.example:27017"


def test_a_task_reads_the_settings_that_the_command_line_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = SimulatorSettings(enabled=False, scenarios={"unit_bug": date(2026, 11, 3)}, first_day=date(2026, 10, 1))
    settings = settings_in(tmp_path, simulator=simulator, timezone="Europe/Paris")
    for name, value in as_variables(settings).items():
        monkeypatch.setenv(name, value)
    assert as_variables(Settings()) == as_variables(settings)


def test_a_task_accepts_what_the_stack_was_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("""RANKLOOP_CLEANING__ACCEPT={"2026-11-03": ["empty_day", "small_day"]}\n""")
    started = stack_environment(Settings(), KEYS)
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("RANKLOOP_CLEANING__ACCEPT", started["RANKLOOP_CLEANING__ACCEPT"])
    assert Settings().cleaning.accept == {date(2026, 11, 3): {"empty_day", "small_day"}}


def test_the_embedded_marketplace_is_simulated(tmp_path: Path) -> None:
    assert as_variables(settings_in(tmp_path))["RANKLOOP_SIMULATOR__ENABLED"] == "true"


def test_a_marketplace_of_ones_own_is_not_simulated(tmp_path: Path) -> None:
    assert as_variables(settings_in(tmp_path, mongo_uri=MONGO))["RANKLOOP_SIMULATOR__ENABLED"] == "false"


def test_who_turned_the_simulator_off_finds_it_off(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, simulator=SimulatorSettings(enabled=False))
    assert as_variables(settings)["RANKLOOP_SIMULATOR__ENABLED"] == "false"


def test_tasks_get_the_password_of_the_given_mongodb(tmp_path: Path) -> None:
    assert as_variables(settings_in(tmp_path, mongo_uri=MONGO))["RANKLOOP_MONGO_URI"] == MONGO


def test_the_serving_app_gets_the_keys_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = ServingSettings(api_keys=("a-key-of-the-shop-1", "a-key-of-the-shop-2"))  # type: ignore[arg-type]
    settings = settings_in(tmp_path, serving=serving)
    monkeypatch.setenv("RANKLOOP_SERVING__API_KEYS", as_variables(settings)["RANKLOOP_SERVING__API_KEYS"])
    assert Settings().serving.api_keys == serving.api_keys


def test_airflow_variables_of_the_shell_do_not_lead_to_another_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    expected = stack_environment(settings, KEYS)
    ours = {name for name in expected if name not in clean_environment() and name.startswith(("AIRFLOW", "MLFLOW"))}
    tunable = {
        "AIRFLOW__CORE__PARALLELISM",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
    }
    for name in ours - tunable:
        monkeypatch.setenv(name, "the shell's")
    assert stack_environment(settings, KEYS) == expected


def test_how_many_tasks_run_at_once_is_the_shells_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "16")
    assert stack_environment(settings_in(tmp_path), KEYS)["AIRFLOW__CORE__PARALLELISM"] == "16"


@pytest.mark.parametrize("spelling", ["NO_PROXY", "no_proxy"])
def test_a_proxy_is_not_asked_for_servers_of_this_machine(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(spelling, "internal.example")
    environment = stack_environment(settings_in(tmp_path), KEYS)
    assert environment["NO_PROXY"] == environment["no_proxy"] == "internal.example,127.0.0.1,localhost"


def test_no_command_carries_a_secret(tmp_path: Path) -> None:
    environment = stack_environment(settings_in(tmp_path), KEYS)
    secret_variables = {name for name, value in environment.items() if value in vars(KEYS).values()}
    assert len(secret_variables) == len(vars(KEYS))
    assert not [name for name in secret_variables for command in commands().values() if name in command]


def test_the_procfile_names_the_seven_processes_and_never_standalone() -> None:
    airflow = ["airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"]
    assert list(commands()) == ["mongo", "mlflow", "serving", *airflow]
    assert not [command for command in commands().values() if "standalone" in command]
