"""A lake's tables: days are replaced whole, old versions stay."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankloop.lake.partition import ROW_GROUP, RowsError
from rankloop.lake.tables import Lake, LakeError

TABLE = "events/things"
SCHEMA = pa.schema({"dt": pa.date32(), "n": pa.int64(), "at": pa.timestamp("ms", tz="UTC")})
MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 4)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def things(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int64()), "at": pa.array(numbers, pa.timestamp("ms", "UTC"))})


def numbers(lake: Lake, *days: date, version: int | None = None) -> list[int]:
    return lake.read(TABLE, days, ["n"], version)["n"].to_pylist()  # type: ignore[no-any-return]


def test_a_replaced_day_holds_the_new_rows_and_no_other_day_changes(lake: Lake) -> None:
    lake.replace_day(TABLE, MONDAY, things(1, 2), SCHEMA)
    lake.replace_day(TABLE, TUESDAY, things(3), SCHEMA)
    lake.replace_day(TABLE, MONDAY, things(4), SCHEMA)
    assert numbers(lake, MONDAY) == [4]
    assert numbers(lake, TUESDAY) == [3]
    assert lake.rows(TABLE) == {MONDAY: 1, TUESDAY: 1}
    assert lake.days(TABLE) == [MONDAY, TUESDAY]
    assert lake.tables() == [TABLE]


def test_what_was_written_names_the_version_that_has_it(lake: Lake) -> None:
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    written = lake.replace_day(TABLE, MONDAY, things(2, 3), SCHEMA)
    lake.replace_day(TABLE, MONDAY, things(9), SCHEMA)
    assert numbers(lake, MONDAY, version=written.version) == [2, 3]
    assert written.digest == lake.digest(TABLE, MONDAY, written.version)
    assert lake.versions(TABLE)[1].digest == written.digest
    assert lake.versions(TABLE)[1].day == MONDAY


def test_what_was_written_of_a_day_is_found_again_whatever_came_after(lake: Lake) -> None:
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    monday = lake.replace_day(TABLE, MONDAY, things(2, 3), SCHEMA)
    lake.replace_day(TABLE, TUESDAY, things(9), SCHEMA)
    assert lake.written(TABLE, MONDAY) == monday
    with pytest.raises(LakeError, match="events/things has no 2026-11-04"):
        lake.written(TABLE, WEDNESDAY)


def test_a_day_written_twice_has_one_digest(lake: Lake) -> None:
    first = lake.replace_day(TABLE, MONDAY, things(1, 2, 3), SCHEMA)
    second = lake.replace_day(TABLE, MONDAY, things(3, 1, 2), SCHEMA)
    assert first.digest == second.digest != lake.replace_day(TABLE, MONDAY, things(1, 2), SCHEMA).digest


def test_no_rows_leave_no_day(lake: Lake) -> None:
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    assert lake.replace_day(TABLE, MONDAY, things(), SCHEMA).rows == 0
    assert lake.days(TABLE) == []


def test_a_stream_is_written_in_its_order_and_in_whole_row_groups(lake: Lake) -> None:
    count = 2 * ROW_GROUP + 5
    batches = (things(*range(start, min(start + 1000, count))).to_batches()[0] for start in range(0, count, 1000))
    stream = pa.RecordBatchReader.from_batches(things().schema, batches)
    lake.replace_day(TABLE, MONDAY, stream, SCHEMA)
    assert numbers(lake, MONDAY) == list(range(count))
    [file] = lake.files(TABLE, [MONDAY])
    groups = pq.ParquetFile(file).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [ROW_GROUP, ROW_GROUP, 5]


def test_files_read_by_an_engine_have_the_day_as_a_date(lake: Lake) -> None:
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    lake.replace_day(TABLE, TUESDAY, things(2), SCHEMA)
    files = lake.files(TABLE, [MONDAY, TUESDAY])
    found = duckdb.sql("select dt, n from read_parquet($1, hive_partitioning = true) order by n", params=[files])
    assert found.fetchall() == [(MONDAY, 1), (TUESDAY, 2)]
    assert lake.files(TABLE, [WEDNESDAY]) == lake.files("events/none", [MONDAY]) == []


def test_files_that_an_engine_wrote_are_adopted_as_if_they_were_rows(lake: Lake) -> None:
    landing = lake.landing(TABLE, MONDAY)
    Path(landing).mkdir(parents=True)
    for part, rows in enumerate((things(1, 2), things(3))):
        pq.write_table(rows, f"{landing}/part-{part}.parquet")
    adopted = lake.adopt(TABLE, MONDAY, landing, SCHEMA)
    assert numbers(lake, MONDAY) == [1, 2, 3]
    assert adopted == lake.replace_day(TABLE, MONDAY, things(1, 2, 3), SCHEMA).__class__(
        TABLE, MONDAY, adopted.version, 3, lake.digest(TABLE, MONDAY)
    )


def test_adopted_files_must_have_the_tables_columns(lake: Lake) -> None:
    landing = lake.landing(TABLE, MONDAY)
    Path(landing).mkdir(parents=True)
    pq.write_table(pa.table({"n": [1]}), f"{landing}/part-0.parquet")
    with pytest.raises(LakeError, match=r"part-0\.parquet has columns n: int64, the table"):
        lake.adopt(TABLE, MONDAY, landing, SCHEMA)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pa.table({"n": [1]}), "2026-11-02: the rows have no column at"),
        (things(1).append_column("x", [[1]]), "have unknown columns: x"),
        (things(1).set_column(0, "n", [["a"]]), "column n is string and does not fit int64"),
        (things(1).append_column("dt", [[TUESDAY]]), r"rows of other days \(2026-11-03\)"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_the_day_stays(lake: Lake, rows: pa.Table, message: str) -> None:
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    with pytest.raises(RowsError, match=message):
        lake.replace_day(TABLE, MONDAY, rows, SCHEMA)
    assert numbers(lake, MONDAY) == [1]


def test_a_table_without_a_day_is_refused_before_it_is_made(lake: Lake) -> None:
    with pytest.raises(RowsError, match="needs the column dt of type date32"):
        lake.replace_day(TABLE, MONDAY, pa.table({"n": [1]}), pa.schema({"n": pa.int64()}))
    assert lake.tables() == []


def test_a_table_may_gain_a_column_and_old_days_have_none_of_it(lake: Lake) -> None:
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    wider = SCHEMA.append(pa.field("more", pa.string()))
    lake.replace_day(TABLE, TUESDAY, things(2).append_column("more", [["x"]]), wider)
    assert lake.read(TABLE, [MONDAY, TUESDAY])["more"].to_pylist() == [None, "x"]


def test_a_missing_table_or_version_is_named_with_those_that_are_there(lake: Lake) -> None:
    with pytest.raises(LakeError, match="has no table events/none; there are: none"):
        lake.version("events/none")
    lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    with pytest.raises(LakeError, match="has no version 7; see `rankloop lake versions events/things`"):
        lake.files(TABLE, [MONDAY], version=7)


def test_tidying_removes_what_no_kept_version_needs(lake: Lake) -> None:
    old = lake.replace_day(TABLE, MONDAY, things(1), SCHEMA)
    pinned = lake.replace_day(TABLE, MONDAY, things(2), SCHEMA)
    lake.replace_day(TABLE, MONDAY, things(3), SCHEMA)
    abandoned = Path(lake.landing(TABLE, MONDAY))
    abandoned.mkdir(parents=True)
    (abandoned / "part-0.parquet").write_bytes(b"cut short")
    assert not lake.remove_old_files(TABLE, keep_days=1)
    lake.remove_old_files(TABLE, keep_days=0, keep_versions=[pinned.version])
    assert numbers(lake, MONDAY, version=pinned.version) == [2]
    assert numbers(lake, MONDAY) == [3]
    assert not any(abandoned.iterdir())
    with pytest.raises(FileNotFoundError):
        numbers(lake, MONDAY, version=old.version)


def test_a_file_that_is_put_again_is_whole_and_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.get("reports/drift/page.html") is None
    for content in (b"first", b"then" * 100_000):
        lake.put("reports/drift/page.html", content)
        assert lake.get("reports/drift/page.html") == content
    assert [path.name for path in (tmp_path / "reports" / "drift").iterdir()] == ["page.html"]
    assert lake.tables() == []


def test_a_log_is_read_from_its_last_ten_commits_on_and_no_version_is_forgotten(lake: Lake) -> None:
    written = [lake.replace_day(TABLE, MONDAY, things(number), SCHEMA) for number in range(25)]
    made = sorted(path.name for path in Path(lake.uri(TABLE)).glob("_delta_log/*.checkpoint.parquet"))
    assert [int(name.partition(".")[0]) for name in made] == [9, 19]
    assert [numbers(lake, MONDAY, version=one.version) for one in written] == [[number] for number in range(25)]
