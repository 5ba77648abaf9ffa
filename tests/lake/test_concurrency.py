"""Many processes write one table at once, and some of them die."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from rankloop.lake.tables import Lake
from tests.killing import forks
from tests.lake.writers import FIRST, ROWS, SCHEMA, TABLE, die_in_the_middle, replace_days, rows_of

pytestmark = pytest.mark.stack

WRITERS = 10


@contextmanager
def processes(target: Callable[..., None], arguments: list[tuple[Any, ...]]) -> Iterator[list[ForkServerProcess]]:
    """Processes that all have ended at the end of the context."""
    running = [forks.Process(target=target, args=each) for each in arguments]
    for process in running:
        process.start()
    yield running
    for process in running:
        process.join(timeout=120)
        assert process.exitcode is not None


def write_at_once(lake: Lake, offsets: Callable[[int], list[int]]) -> list[int | None]:
    together = forks.Barrier(WRITERS)
    arguments = [(lake.root, writer, offsets(writer), together) for writer in range(WRITERS)]
    with processes(replace_days, arguments) as running:
        pass
    return [process.exitcode for process in running]


def test_ten_writers_of_different_days_make_one_table_and_lose_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert write_at_once(lake, lambda writer: [3 * writer + number for number in range(3)]) == [0] * WRITERS
    days = [FIRST + timedelta(days=offset) for offset in range(3 * WRITERS)]
    assert lake.rows(TABLE) == dict.fromkeys(days, ROWS)
    found = lake.read(TABLE, days, ["dt", "writer"]).group_by(["dt", "writer"]).aggregate([]).to_pylist()
    assert {(row["dt"], row["writer"]) for row in found} == {(day, n // 3) for n, day in enumerate(days)}
    assert len([entry for entry in lake.versions(TABLE) if entry.operation == "CREATE TABLE"]) == 1
    assert lake.version(TABLE) == 3 * WRITERS


def test_ten_writers_of_the_same_days_leave_one_writers_rows_in_each(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert write_at_once(lake, lambda _: [0, 1, 2]) == [0] * WRITERS
    for offset in range(3):
        day = FIRST + timedelta(days=offset)
        [writer] = set(lake.read(TABLE, [day], ["writer"])["writer"].to_pylist())
        assert lake.digest(TABLE, day) == digest_of_writer(tmp_path, writer)
    assert lake.version(TABLE) == 3 * WRITERS


def digest_of_writer(folder: Path, writer: int) -> str:
    return Lake(folder / "beside").replace_day(TABLE, FIRST, rows_of(writer), SCHEMA).digest


@pytest.mark.parametrize("batches", [0, 1, 5])
def test_a_writer_that_is_killed_leaves_the_day_as_it_was(tmp_path: Path, batches: int) -> None:
    lake = Lake(tmp_path)
    before = lake.replace_day(TABLE, FIRST, rows_of(1), SCHEMA)
    with processes(die_in_the_middle, [(lake.root, batches)]) as running:
        pass
    assert [process.exitcode for process in running] == [-9]
    assert (lake.version(TABLE), lake.digest(TABLE, FIRST)) == (before.version, before.digest)
    again = lake.replace_day(TABLE, FIRST, rows_of(9), SCHEMA)
    assert lake.digest(TABLE, FIRST) == again.digest == digest_of_writer(tmp_path, 9)


def test_a_commit_that_another_came_before_is_redone_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two first writes of one day: delta-rs alone would let both through, and keep the rows of both."""
    lake, other = Lake(tmp_path), Lake(tmp_path)
    lake.replace_day(TABLE, FIRST - timedelta(days=1), rows_of(0), SCHEMA)
    commit, interrupted = DeltaTable.create_write_transaction, []

    def late_commit(table: DeltaTable, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  (passed through)
        if not interrupted:
            interrupted.append(1)
            other.replace_day(TABLE, FIRST, rows_of(2), SCHEMA)
        commit(table, *arguments, **options)

    monkeypatch.setattr(DeltaTable, "create_write_transaction", late_commit)
    written = lake.replace_day(TABLE, FIRST, rows_of(1), SCHEMA)
    assert set(lake.read(TABLE, [FIRST], ["writer"])["writer"].to_pylist()) == {1}
    assert lake.rows(TABLE)[FIRST] == ROWS
    assert written.version == lake.version(TABLE)
