"""Spill folders: bounded, and gone with whoever made them."""

import subprocess
import sys
from pathlib import Path

import duckdb
import ibis
import pytest

from rankloop.engine.duck import open_duck
from rankloop.engine.spill import spill_folder
from rankloop.settings.features import FeatureSettings

HOLD = """
import sys
from pathlib import Path
from rankloop.engine.spill import spill_folder
with spill_folder(Path(sys.argv[1])) as folder:
    (folder / "data").write_bytes(bytes(1000))
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_spill_folder_goes_with_its_context(tmp_path: Path) -> None:
    with spill_folder(tmp_path) as folder:
        (folder / "data").write_bytes(b"1")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_spilled_is_removed_by_the_next(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n"
        [held] = tmp_path.iterdir()
        with spill_folder(tmp_path):
            assert held.exists(), "a folder in use was removed"
        holder.kill()
        holder.wait()
    with spill_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]


def test_duckdb_spills_no_more_than_it_may(tmp_path: Path) -> None:
    settings = FeatureSettings(memory="100MB", spill_limit="50MB", spill=tmp_path)
    numbers = ibis.range(20_000_000).unnest().name("a").as_table()
    wide = numbers.mutate(b=numbers.a.hash(), c=(numbers.a + 1).hash())
    with open_duck(settings) as engine, pytest.raises(duckdb.Error, match="max_temp_directory_size"):
        engine.materialise(wide)
