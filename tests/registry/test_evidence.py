"""A training's record says which code, environment and data it had."""

import subprocess
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from rankloop.lake.tables import Lake
from rankloop.registry.evidence import code, environment, table_version

DAYS = [date(2026, 11, 1), date(2026, 11, 2)]
SCHEMA = pa.schema([("dt", pa.date32()), ("clicks", pa.int64())])


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a git repository of its own."""
    folder = tmp_path / "repository/package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def filled(lake: Lake, *clicks: int) -> None:
    for day, number in zip(DAYS, clicks, strict=False):
        lake.replace_day("training/lists", day, pa.table({"clicks": [number]}), SCHEMA)


def test_code_is_known_by_its_commit(package: Path) -> None:
    found = code(package=package)
    assert (found.commit, found.changed) == (git(package, "rev-parse", "HEAD"), False)


def test_changed_code_is_told_from_its_commit(package: Path) -> None:
    before = code(package=package)
    (package / "__init__.py").write_text("WEIGHT = 2")
    after = code(package=package)
    assert (after.commit, after.changed) == (before.commit, True)
    assert after.digest != before.digest


def test_a_commit_that_is_given_goes_before_gits(package: Path) -> None:
    assert code("0123abc", package).commit == "0123abc"


def test_code_installed_within_somebody_elses_repository_has_not_their_commit(package: Path) -> None:
    inside = package / "site-packages/rankloop"
    inside.mkdir(parents=True)
    (inside / "__init__.py").write_text("")
    assert (code(package=inside).commit, code(package=inside).changed) == (None, None)


def test_code_without_git_is_known_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    found = code(package=tmp_path)
    assert (found.commit, found.changed, len(found.digest)) == (None, None, 64)


def test_our_own_code_is_known() -> None:
    assert len(code().digest) == 64


def test_the_environment_names_what_is_installed() -> None:
    found = environment()
    assert any(entry.startswith("mlflow==3.") for entry in found.distributions)
    assert list(found.distributions) == sorted(found.distributions)


def test_the_environment_is_the_same_when_asked_again() -> None:
    assert environment() == environment()


def test_another_lock_is_told(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("mlflow==3.17.2\n")
    before = environment(tmp_path).lock_digest
    (tmp_path / "requirements.txt").write_text("mlflow==3.18.0\n")
    assert environment(tmp_path).lock_digest != before


def test_where_there_is_no_lock_none_is_claimed(tmp_path: Path) -> None:
    assert environment(tmp_path).lock_digest is None


def test_a_tables_version_has_the_digest_of_each_day(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    filled(lake, 5, 7)
    found = table_version(lake, "training/lists", DAYS)
    assert found.version == lake.version("training/lists")
    assert found.digests == {day.isoformat(): lake.digest("training/lists", day) for day in DAYS}


def test_a_day_written_again_with_the_same_rows_has_the_same_digest(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    filled(lake, 5, 7)
    before = table_version(lake, "training/lists", DAYS)
    filled(lake, 5, 7)
    after = table_version(lake, "training/lists", DAYS)
    assert after.version > before.version
    assert after.digest == before.digest


def test_an_earlier_version_has_the_digests_of_then(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    filled(lake, 5, 7)
    before = table_version(lake, "training/lists", DAYS)
    filled(lake, 6)
    assert table_version(lake, "training/lists", DAYS, before.version) == before
    assert table_version(lake, "training/lists", DAYS).digest != before.digest


def test_only_the_days_that_were_read_count(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    filled(lake, 5, 7)
    before = table_version(lake, "training/lists", DAYS[:1])
    filled(lake, 5, 8)
    assert table_version(lake, "training/lists", DAYS[:1]).digest == before.digest
