"""The keys of a stack: made once, kept, and for their owner's eyes alone."""

import os
import stat
from pathlib import Path

import pytest

from rankloop_demo.stack.home import HomeError
from rankloop_demo.stack.keys import keys_of


def test_a_second_start_has_the_keys_of_the_first(tmp_path: Path) -> None:
    assert keys_of(tmp_path) == keys_of(tmp_path)


def test_two_homes_share_no_key(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = (vars(keys_of(tmp_path / name)) for name in ("one", "other"))
    assert not set(one.values()) & set(other.values())


def test_no_umask_lets_others_read_the_keys(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys_of(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_key_file_of_an_older_version_keeps_its_keys_and_gains_the_new_ones(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"fernet": "kept"}')
    assert keys_of(tmp_path).fernet == "kept"
    assert keys_of(tmp_path).jwt == keys_of(tmp_path).jwt


def test_a_broken_key_file_is_named_rather_than_replaced(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(HomeError, match=r"keys\.json cannot be read.*Restore it, or remove it"):
        keys_of(tmp_path)


def test_keys_do_not_print_themselves(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    assert keys.jwt not in repr(keys)
