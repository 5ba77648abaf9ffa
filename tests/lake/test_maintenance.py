"""Upkeep frees disk and joins files, and no version that anybody may still read becomes another or goes."""

import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rankloop.lake import maintenance
from rankloop.lake.commits import WriteResult
from rankloop.lake.maintenance import FRAGMENTED, PinnedVersionMissingError, compact_tables, remove_reports, vacuum_lake
from rankloop.lake.tables import Lake, LakeError

TABLE, OTHER = "features/things", "features/others"
SCHEMA = pa.schema({"dt": pa.date32(), "n": pa.int64(), "at": pa.timestamp("ms", tz="UTC")})
MONDAY, TUESDAY, WEDNESDAY = DAYS = tuple(date(2026, 11, 2) + timedelta(days=n) for n in range(3))
DAY_S = 86_400


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def things(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int64()), "at": pa.array(numbers, pa.timestamp("ms", "UTC"))})


def write(lake: Lake, day: date, *numbers: int, files: int = 1, table: str = TABLE) -> WriteResult:
    """Replace a day, by as many files as an engine on that many machines would leave."""
    if files == 1:
        return lake.replace_day(table, day, things(*numbers), SCHEMA)
    landing = Path(lake.landing(table, day))
    landing.mkdir(parents=True)
    for part in range(files):
        # An engine leaves empty files as well, where it had no rows for a part.
        pq.write_table(things(*numbers[part::files]), landing / f"part-{part:05d}.parquet")
    return lake.adopt(table, day, str(landing), SCHEMA)


def numbers(lake: Lake, day: date, version: int | None = None) -> list[int]:
    return lake.read(TABLE, [day], ["n"], version)["n"].to_pylist()  # type: ignore[no-any-return]


def files_on_disk(lake: Lake) -> set[str]:
    return {str(path) for path in Path(lake.uri(TABLE)).rglob("dt=*/**/*.parquet")}


def pinned(versions: Collection[int]) -> dict[str, dict[int, list[int]]]:
    return {TABLE: {version: [1] for version in versions}}


def content(lake: Lake, version: int) -> dict[date, str]:
    """What a version holds, worked out from its files."""
    return {day: lake.digest(TABLE, day, version) for day in lake.days(TABLE, version)}


HISTORIES = st.lists(
    st.tuples(st.sampled_from(DAYS), st.lists(st.integers(0, 99), max_size=12), st.sampled_from([1, 1, FRAGMENTED])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=HISTORIES, data=st.data())
def test_whatever_was_written_every_pinned_version_and_the_newest_read_as_before(
    history: list[tuple[date, list[int], int]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(folder)
        held = {}
        for day, rows, files in history:
            version = write(lake, day, *rows, files=files).version
            held[version] = content(lake, version)
        newest = held[max(held)]
        kept = data.draw(st.sets(st.sampled_from(sorted(held))))
        needed = {file for version in kept for file in lake.files(TABLE, DAYS, version)}
        # Twice, as a task that is cleared: the second finds nothing to do.
        for _ in range(2):
            compact_tables(lake)
            vacuum_lake(lake, pinned(kept), keep_days=0)
        assert {version: content(lake, version) for version in kept} == {version: held[version] for version in kept}
        assert content(lake, lake.version(TABLE)) == newest
        assert lake.digests(TABLE, newest) == newest
        assert files_on_disk(lake) == needed | set(lake.files(TABLE, DAYS))
        assert vacuum_lake(lake, pinned(kept), keep_days=0) == []


def test_a_dry_run_names_what_would_go_and_removes_nothing(lake: Lake) -> None:
    for number in range(3):
        write(lake, MONDAY, number)
    before, version = files_on_disk(lake), lake.version(TABLE)
    foreseen = vacuum_lake(lake, {}, keep_days=0, dry_run=True)
    assert (files_on_disk(lake), lake.version(TABLE)) == (before, version)
    assert vacuum_lake(lake, {}, keep_days=0) == foreseen
    assert [(gone.table, gone.files) for gone in foreseen] == [(TABLE, 2)]
    assert foreseen[0].bytes > 0


def test_a_vacuum_that_finds_nothing_makes_no_version(lake: Lake) -> None:
    write(lake, MONDAY, 1)
    write(lake, MONDAY, 2)
    vacuum_lake(lake, {}, keep_days=0)
    version = lake.version(TABLE)
    assert vacuum_lake(lake, {}, keep_days=0) == []
    assert lake.version(TABLE) == version


# The age of things


def age(lake: Lake, version: int, days: float) -> None:
    """Have a commit, and the files that it added, be so many days old."""
    path = Path(lake.uri(TABLE)) / "_delta_log" / f"{version:020d}.json"
    then = time.time() - days * DAY_S
    actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    stamps = {"commitInfo": "timestamp", "add": "modificationTime", "remove": "deletionTimestamp"}
    for action in actions:
        for kind, stamp in stamps.items():
            if kind in action:
                action[kind][stamp] = int(then * 1000)
        if "add" in action:
            os.utime(Path(lake.uri(TABLE)) / action["add"]["path"], (then, then))
    path.write_text("".join(f"{json.dumps(action)}\n" for action in actions), encoding="utf-8")
    os.utime(path, (then, then))


@pytest.fixture
def aged(lake: Lake) -> Lake:
    """A lake with a day of sixty days ago, replaced forty days ago, and again ten days ago."""
    for number, days in enumerate((60, 40, 10), start=1):
        assert write(lake, MONDAY, number).version == number
        age(lake, number, days)
    age(lake, 0, 60)
    return lake


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_version_of_the_last_days_stays_though_its_files_are_older(aged: Lake, checkpoint: bool) -> None:  # noqa: FBT001  (a case)
    """A checkpoint forgets when a file was replaced, and delta-rs would then go by the age of the file."""
    if checkpoint:
        DeltaTable(aged.uri(TABLE)).create_checkpoint()
    [gone] = vacuum_lake(aged, {}, keep_days=30)
    assert gone.files == 1
    assert [numbers(aged, MONDAY, version) for version in (2, 3)] == [[2], [3]]
    with pytest.raises(FileNotFoundError):
        numbers(aged, MONDAY, 1)


def test_a_pinned_version_stays_however_old_the_log_is_and_whatever_it_was_told(tmp_path: Path) -> None:
    """Without our retention, the commits of a vacuum remove the log's old entries."""
    lake = Lake(tmp_path)
    with patch("rankloop.lake.tables.KEEP_LOG", {"delta.logRetentionDuration": "interval 1 hours"}):
        for number in range(1, 6):
            write(lake, MONDAY, number)
    for version in range(6):
        age(lake, version, 60 - version)
    DeltaTable(lake.uri(TABLE)).create_checkpoint()
    assert vacuum_lake(lake, pinned([2]), keep_days=0)
    write(lake, MONDAY, 9)
    assert numbers(lake, MONDAY, 2) == [2]
    assert numbers(lake, MONDAY) == [9]


def test_what_a_writer_left_goes_when_it_is_old_and_not_before(lake: Lake) -> None:
    write(lake, MONDAY, 1)
    young, old = (Path(lake.landing(TABLE, MONDAY)) / "part-0.parquet" for _ in range(2))
    for file in (young, old):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"cut short")
    then = time.time() - 3 * DAY_S
    os.utime(old, (then, then))
    vacuum_lake(lake, {}, keep_days=2)
    assert (young.exists(), old.exists()) == (True, False)


def test_a_reader_that_was_begun_before_reads_to_its_end(lake: Lake) -> None:
    write(lake, MONDAY, *range(100), files=FRAGMENTED)
    write(lake, TUESDAY, 7)
    stream = lake.batches(TABLE, MONDAY)
    rows = next(stream).num_rows
    relation = duckdb.connect().from_parquet(lake.files(TABLE, DAYS), hive_partitioning=True)
    assert compact_tables(lake) == {TABLE: 1}
    write(lake, TUESDAY, 8)
    vacuum_lake(lake, {}, keep_days=2)
    assert rows + sum(batch.num_rows for batch in stream) == 100
    assert relation.aggregate("count(*), sum(n)").fetchall() == [(101, sum(range(100)) + 7)]


@pytest.mark.parametrize("pins", [{TABLE: {9: [3, 5]}}, {"features/none": {1: [3, 5]}}])
def test_a_pin_that_this_lake_does_not_know_stops_everything(lake: Lake, pins: maintenance.PinnedVersions) -> None:
    write(lake, MONDAY, 1, table=OTHER)
    write(lake, MONDAY, 2, table=OTHER)
    write(lake, MONDAY, 1)
    with pytest.raises(
        PinnedVersionMissingError, match=r"version 3, 5 of the ranker was trained on version \d of feat"
    ):
        vacuum_lake(lake, pins, keep_days=0)
    assert lake.read(OTHER, [MONDAY], ["n"], version=1)["n"].to_pylist() == [1]


# Compaction


def test_a_scattered_day_becomes_one_file_with_the_same_rows_and_the_rest_stays(lake: Lake) -> None:
    before = write(lake, MONDAY, *range(50), files=FRAGMENTED)
    write(lake, TUESDAY, *range(50), files=FRAGMENTED - 1)
    order = [row for batch in lake.batches(TABLE, MONDAY) for row in batch["n"].to_pylist()]
    assert compact_tables(lake) == {TABLE: 1}
    assert [row for batch in lake.batches(TABLE, MONDAY) for row in batch["n"].to_pylist()] == order
    assert {day: len(sizes) for day, sizes in lake.file_sizes(TABLE).items()} == {MONDAY: 1, TUESDAY: FRAGMENTED - 1}
    now = lake.written(TABLE, MONDAY)
    assert (now.rows, now.digest) == (before.rows, before.digest)
    assert now.digest == lake.digest(TABLE, MONDAY)
    assert compact_tables(lake) == {}
    assert lake.version(TABLE) == now.version


def test_large_files_are_left_as_they_are(lake: Lake) -> None:
    write(lake, MONDAY, *range(50), files=FRAGMENTED)
    with patch.object(maintenance, "SMALL", 10):
        assert compact_tables(lake) == {}


def test_a_day_from_before_a_column_keeps_its_digest_and_the_table_the_column(lake: Lake) -> None:
    before = write(lake, MONDAY, *range(20), files=FRAGMENTED)
    wider = SCHEMA.append(pa.field("more", pa.string()))
    lake.replace_day(TABLE, TUESDAY, things(2).append_column("more", [["x"]]), wider)
    compact_tables(lake)
    assert lake.digest(TABLE, MONDAY) == before.digest
    assert lake.read(TABLE, [MONDAY, TUESDAY])["more"].to_pylist() == [*[None] * 20, "x"]


def compacted_while(lake: Lake, day: date, *numbers: int) -> dict[str, int]:
    """What compaction does where a day is replaced after its files were read."""
    commit, begun = Lake._commit, []  # noqa: SLF001  (the moment in question)

    def late(self: Lake, *arguments: object) -> WriteResult:
        if not begun:
            begun.append(1)
            write(Lake(self.root), day, *numbers)
        return commit(self, *arguments)  # type: ignore[arg-type]

    with patch.object(Lake, "_commit", late):
        return compact_tables(lake)


def test_a_day_that_is_replaced_meanwhile_keeps_its_new_rows(lake: Lake) -> None:
    write(lake, MONDAY, *range(20), files=FRAGMENTED)
    assert compacted_while(lake, MONDAY, 7, 8) == {}
    assert numbers(lake, MONDAY) == [7, 8]


def test_another_day_that_is_replaced_meanwhile_disturbs_nothing(lake: Lake) -> None:
    write(lake, MONDAY, *range(20), files=FRAGMENTED)
    assert compacted_while(lake, TUESDAY, 7) == {TABLE: 1}
    assert (sorted(numbers(lake, MONDAY)), numbers(lake, TUESDAY)) == ([*range(20)], [7])


def test_files_that_were_changed_in_place_are_not_made_the_days(lake: Lake) -> None:
    write(lake, MONDAY, *range(20), files=FRAGMENTED)
    version = lake.version(TABLE)
    pq.write_table(things(99), lake.files(TABLE, [MONDAY])[0])
    with pytest.raises(LakeError, match=r"features/things 2026-11-02: its files hold rows of digest .* in place"):
        compact_tables(lake)
    assert lake.version(TABLE) == version


# Reports


@pytest.fixture
def reported(lake: Lake) -> Iterator[tuple[Lake, Path]]:
    """A lake with reports of ten days, and a folder that is no report."""
    write(lake, MONDAY, 1)
    folder = Path(lake.root) / "reports" / "drift"
    for number in range(10):
        report = folder / f"dt={MONDAY + timedelta(days=number)}" / "report.html"
        report.parent.mkdir(parents=True)
        report.write_text("drift", encoding="utf-8")
    (folder / "notes").mkdir()
    yield lake, folder
    shutil.rmtree(folder)


def test_reports_older_than_the_days_that_are_kept_go_and_no_other(reported: tuple[Lake, Path]) -> None:
    lake, folder = reported
    old = [f"2026-11-0{number}" for number in (2, 3, 4)]
    assert remove_reports(lake, 6, dry_run=True) == remove_reports(lake, 6) == old
    assert remove_reports(lake, 6) == []
    assert len(list(folder.glob("dt=*/report.html"))) == 7
    assert (folder / "notes").exists()


def test_without_reports_there_is_nothing_to_remove(lake: Lake) -> None:
    write(lake, MONDAY, 1)
    assert remove_reports(lake, 1) == []
