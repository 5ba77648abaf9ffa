"""A table's columns over time: new ones are added, none is dropped by code that does not know it."""

import logging
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankloop.lake.maintenance import compact_tables
from rankloop.lake.tables import Lake, LakeError

TABLE = "features/toy"
BEFORE, DAY, AFTER = date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)
OLD = pa.schema([("dt", pa.date32()), ("a", pa.int64())])
NEW = OLD.append(pa.field("b", pa.float64()))


def write_old_and_new(lake: Lake) -> None:
    lake.replace_day(TABLE, BEFORE, pa.table({"a": [1]}), OLD)
    lake.replace_day(TABLE, DAY, pa.table({"a": [2], "b": [0.5]}), NEW)


def test_a_new_column_is_empty_on_older_days(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    write_old_and_new(lake)
    assert lake.read(TABLE, [BEFORE, DAY], ["b"])["b"].to_pylist() == [None, 0.5]


def test_older_code_keeps_the_columns_it_does_not_know_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    write_old_and_new(lake)
    with caplog.at_level(logging.WARNING):
        lake.replace_day(TABLE, AFTER, pa.table({"a": [3]}), OLD)
    assert "features/toy 2026-10-03: the table has columns that this code does not write: b" in caplog.text
    assert lake.read(TABLE, [DAY, AFTER], ["b"])["b"].to_pylist() == [0.5, None]


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    write_old_and_new(lake)
    other = OLD.append(pa.field("b", pa.string()))
    with pytest.raises(LakeError, match="the column b is double in the table and string in what is written"):
        lake.replace_day(TABLE, AFTER, pa.table({"a": [3], "b": ["x"]}), other)
    assert lake.days(TABLE) == [BEFORE, DAY]


def test_definitions_stand_in_the_commit_and_outlive_compaction(tmp_path: Path) -> None:
    lake, definitions = Lake(tmp_path), {"a": "0123456789abcdef", "b": "fedcba9876543210"}
    lake.replace_day(TABLE, BEFORE, pa.table({"a": [1]}), OLD)
    landing = Path(lake.landing(TABLE, DAY))
    landing.mkdir(parents=True)
    for number in range(8):
        pq.write_table(pa.table({"a": [number], "b": [0.5]}), landing / f"{number}.parquet")
    lake.adopt(TABLE, DAY, str(landing), NEW, definitions)
    assert compact_tables(lake) == {TABLE: 1}
    commits = lake.last_commits(TABLE)
    assert commits[BEFORE].definitions is None
    assert commits[DAY].definitions == definitions
    assert commits[DAY].rows == 8
