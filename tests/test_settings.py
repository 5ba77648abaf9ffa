"""Settings: read from one place, and refused in words."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rankloop.settings import PREFIX, Settings, SettingsError, load_settings

Load = Callable[..., Settings]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Loads settings in an empty folder, under these variables alone."""
    monkeypatch.chdir(tmp_path)

    def load_with(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        load_settings.cache_clear()
        return load_settings()

    yield load_with  # type: ignore[misc]
    load_settings.cache_clear()


def test_the_environment_goes_before_the_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rankloop.toml").write_text('timezone = "Asia/Tokyo"\n[ports]\nairflow = 9000\n')
    settings = load(RANKLOOP_PORTS__AIRFLOW="9001")
    assert (settings.timezone, settings.ports.airflow) == ("Asia/Tokyo", 9001)


def test_the_home_folder_is_absolute(load: Load, tmp_path: Path) -> None:
    assert load().home == tmp_path / ".rankloop"


def test_a_dotenv_file_is_read_and_may_hold_what_is_not_ours(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RANKLOOP_TIMEZONE=Asia/Tokyo\nAWS_REGION=ap-southeast-1\n")
    assert load().timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RANKLOOP_PORTS__AIRFLOW", "eighty", "setting ports.airflow = 'eighty': .* Set it by RANKLOOP_PORTS__AIRFLOW"),
        ("RANKLOOP_PORTS__MLFLOW", "70000", "setting ports.mlflow = '70000': .*less than or equal to 65535"),
        ("RANKLOOP_PORTS__MLFLOW", "8080", "two servers cannot share a port"),
        ("RANKLOOP_PORTS__SERVING", "5000", "two servers cannot share a port"),
        ("RANKLOOP_SERVING__HOST", "10.0.0.9", "others can reach it, so it needs keys"),
        ("RANKLOOP_TIMEZONE", "Mars/Olympus", "no time zone is called 'Mars/Olympus'"),
        ("RANKLOOP_MONGO_URI", "http://shop", "starts with mongodb://"),
        ("RANKLOOP_MLFLOW_URI", "sqlite:///mlflow.db", "starts with http://"),
        ("RANKLOOP_AIRFLOW_URL", "airflow.example", "starts with http://.* Set it by RANKLOOP_AIRFLOW_URL"),
        ("RANKLOOP_GIT_COMMIT", "main", "setting git_commit = 'main'"),
        ("RANKLOOP_SIMULATOR__SCENARIOS", '{"war": "2026-11-01"}', "no scenario is called war; there are tet_campaign"),
        ("RANKLOOP_SIMULATOR__SEED", "-1", "simulator.seed"),
        ("RANKLOOP_PROTS__AIRFLOW", "8081", "RANKLOOP_PROTS__AIRFLOW. Did you mean RANKLOOP_PORTS__AIRFLOW"),
        ("RANKLOOP_HOMEE", "elsewhere", "Did you mean RANKLOOP_HOME"),
        ("RANKLOOP_SIMULATOR__SCENARIOS", "tet", 'RANKLOOP_SIMULATOR__SCENARIOS=\'{"taste_shift"'),
        ("RANKLOOP_TIMEZONE", "Asia", "no time zone is called 'Asia'"),
        ("RANKLOOP_HOME", "", "name a folder"),
        ("RANKLOOP_HOME", "~nosuch/x", "setting home = '~nosuch/x'"),
    ],
)
def test_a_wrong_setting_is_refused_in_words(load: Load, variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(**{variable: value})


def test_a_file_that_is_no_toml_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rankloop.toml").write_text("ports = [")
    with pytest.raises(SettingsError, match="cannot be read"):
        load()


def test_a_password_does_not_reach_a_message(load: Load) -> None:
    with pytest.raises(SettingsError) as refused:
        load(RANKLOOP_MONGO_URI="https://shop:hunter2@db")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(load(RANKLOOP_MONGO_URI="mongodb://shop:hunter2@db"))


@pytest.mark.parametrize("variable", ["RANKLOOP_MLFLOW_URI", "RANKLOOP_AIRFLOW_URL"])
def test_a_password_in_an_address_is_refused_and_not_repeated(load: Load, variable: str) -> None:
    with pytest.raises(SettingsError, match=r"holds no password; give .* MLFLOW_TRACKING_PASSWORD") as refused:
        load(**{variable: "https://me:hunter2@somewhere.example"})
    assert "hunter2" not in str(refused.value)


def test_a_key_does_not_reach_a_message_and_stands_in_no_file_of_git(load: Load, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 16 characters") as refused:
        load(RANKLOOP_SERVING__API_KEYS='["hunter2"]')
    assert "hunter2" not in str(refused.value)
    assert "a-key-of-the-shop" not in repr(load(RANKLOOP_SERVING__API_KEYS='["a-key-of-the-shop"]'))
    (tmp_path / "rankloop.toml").write_text('[serving]\napi_keys = ["a-key-of-the-shop"]\n')
    with pytest.raises(SettingsError, match="remove them there") as refused:
        load()
    assert "a-key-of-the-shop" not in str(refused.value)


def test_mlflow_is_the_embedded_one_unless_another_is_given(load: Load) -> None:
    assert load(RANKLOOP_PORTS__MLFLOW="5001").mlflow == "http://127.0.0.1:5001"
    assert load(RANKLOOP_MLFLOW_URI="https://mlflow.example/").mlflow == "https://mlflow.example"


def test_airflow_is_the_embedded_one_unless_another_is_given(load: Load) -> None:
    assert load(RANKLOOP_PORTS__AIRFLOW="8081").airflow == "http://127.0.0.1:8081"
    assert load(RANKLOOP_AIRFLOW_URL="https://airflow.example/").airflow == "https://airflow.example"


def test_no_test_reads_the_developers_own_settings() -> None:
    assert not [name for name in os.environ if name.startswith(PREFIX)]
    assert not Path(".env").exists()
    assert not Path("rankloop.toml").exists()


@pytest.mark.parametrize(
    ("variables", "simulated"),
    [
        ({}, True),
        ({"RANKLOOP_MONGO_URI": "mongodb://shop"}, False),
        ({"RANKLOOP_MONGO_URI": "mongodb://empty", "RANKLOOP_SIMULATOR__ENABLED": "true"}, True),
        ({"RANKLOOP_SIMULATOR__ENABLED": "false"}, False),
    ],
)
def test_a_shop_of_ones_own_is_not_simulated_unless_asked_for(
    load: Load,
    variables: dict[str, str],
    simulated: bool,  # noqa: FBT001  (a case of the table)
) -> None:
    assert load(**variables).simulated is simulated
