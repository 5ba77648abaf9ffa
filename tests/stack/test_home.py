"""The home folder: claimed when it is ours, removed only then."""

import stat
from pathlib import Path

import pytest

from rankloop_demo.stack.environment import as_variables
from rankloop_demo.stack.home import prepare
from tests.running import rankloop, settings_in

pytestmark = pytest.mark.stack


def test_only_its_owner_can_look_into_a_home(tmp_path: Path) -> None:
    prepare(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_clean_removes_a_home_and_all_that_is_in_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    prepare(settings.home)
    (settings.home / "lake").mkdir()
    assert rankloop("stack", "clean", environment=as_variables(settings)).returncode == 0
    assert not settings.home.exists()


def test_clean_refuses_a_folder_that_held_something_before_the_first_start(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.home.mkdir()
    (settings.home / "thesis.tex").write_text("years of work")
    prepare(settings.home)
    answer = rankloop("stack", "clean", environment=as_variables(settings))
    assert answer.returncode == 1
    assert "remove it by hand" in answer.stderr
    assert (settings.home / "thesis.tex").exists()


def test_a_lake_that_was_there_before_the_first_start_does_not_make_a_home_foreign(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (settings.home / "lake").mkdir(parents=True)
    prepare(settings.home)
    assert rankloop("stack", "clean", environment=as_variables(settings)).returncode == 0


def test_clean_without_a_home_is_no_error(tmp_path: Path) -> None:
    answer = rankloop("stack", "clean", environment=as_variables(settings_in(tmp_path)))
    assert answer.returncode == 0
    assert "There is no" in answer.stdout
