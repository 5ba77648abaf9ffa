"""What changed in a day between two versions."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from rankloop.lake.comparison import diff_partition
from rankloop.lake.tables import Lake, LakeError

TABLE = "events/things"
SCHEMA = pa.schema({"dt": pa.date32(), "id": pa.int64(), "price": pa.int64()})
MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    for day, prices in ((MONDAY, [5, 6, 7, 7]), (TUESDAY, [1]), (MONDAY, [5, 60, 7]), (TUESDAY, [2])):
        rows = pa.table({"id": list(range(len(prices))), "price": prices})
        lake.replace_day(TABLE, day, rows, SCHEMA)
    return lake


def test_a_day_is_compared_with_what_it_was_before_it_was_last_replaced(lake: Lake) -> None:
    found = diff_partition(lake, TABLE, MONDAY)
    assert (found.before.version, found.after.version) == (2, 4)
    assert (found.before.rows, found.after.rows) == (4, 3)
    assert found.before.examples == [{"id": 1, "price": 6}, {"id": 3, "price": 7}]
    assert found.after.examples == [{"id": 1, "price": 60}]
    assert (found.before.own_rows, found.after.own_rows) == (2, 1)


def test_only_columns_whose_values_differ_are_named(lake: Lake) -> None:
    assert diff_partition(lake, TABLE, TUESDAY).columns == ["price"]
    assert diff_partition(lake, TABLE, MONDAY).columns == ["id", "price"]


def test_a_day_that_no_commit_touched_is_the_same(lake: Lake) -> None:
    found = diff_partition(lake, TABLE, MONDAY, 3, 4)
    assert found.same
    assert found.columns == found.before.examples == found.after.examples == []


def test_a_day_that_was_never_written_is_named(lake: Lake) -> None:
    with pytest.raises(LakeError, match="2026-11-09: no version up to 4 holds this day"):
        diff_partition(lake, TABLE, date(2026, 11, 9))
