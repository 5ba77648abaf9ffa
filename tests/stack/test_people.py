"""The four people of the embedded Airflow and their passwords."""

import json
import stat
from pathlib import Path

import pytest

from rankloop_demo.stack.people import SignInError, api_token, make_missing_passwords, passwords_file
from tests.running import settings_in


def test_the_first_start_makes_a_password_for_each_of_the_four(tmp_path: Path) -> None:
    assert set(make_missing_passwords(tmp_path)) == {"admin", "ml-lead", "oncall", "viewer"}


def test_passwords_are_given_out_only_by_the_start_that_made_them(tmp_path: Path) -> None:
    make_missing_passwords(tmp_path)
    assert make_missing_passwords(tmp_path) == {}


def test_the_file_is_what_airflow_reads_and_nobody_else_may(tmp_path: Path) -> None:
    made = make_missing_passwords(tmp_path)
    assert json.loads(passwords_file(tmp_path).read_text()) == made
    assert stat.S_IMODE(passwords_file(tmp_path).stat().st_mode) == 0o600


def test_a_password_changed_by_hand_stays(tmp_path: Path) -> None:
    make_missing_passwords(tmp_path)
    passwords_file(tmp_path).write_text('{"admin": "my own"}')
    assert "admin" not in make_missing_passwords(tmp_path)
    assert json.loads(passwords_file(tmp_path).read_text())["admin"] == "my own"


def test_a_stranger_is_told_who_there_is(tmp_path: Path) -> None:
    with pytest.raises(SignInError, match="nobody is called 'intern'; there are admin, ml-lead, oncall, viewer"):
        api_token(settings_in(tmp_path), "intern")


def test_signing_in_to_a_stack_that_is_down_says_how_to_start_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.home.mkdir()
    make_missing_passwords(settings.home)
    with pytest.raises(SignInError, match="Start it with `make start`"):
        api_token(settings, "admin")
