"""Upkeep that is killed leaves a lake that reads as before, and is finished by doing it again."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rankloop.lake.maintenance import FRAGMENTED
from rankloop.lake.tables import Lake
from tests.killing import Point, forks
from tests.lake.writers import FIRST, SCHEMA, TABLE, keep_up, rows_of
from tests.running import wait_until

pytestmark = pytest.mark.stack

WRITE, COMMIT, VACUUM = (
    f"rankloop.lake.tables:{name}" for name in ("write_partition_file", "Lake._commit", "vacuum_table")
)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with two scattered days, a day that was replaced, and what a killed writer left long ago."""
    lake = Lake(tmp_path)
    for day in DAYS[:2]:
        landing = Path(lake.landing(TABLE, day))
        landing.mkdir(parents=True)
        for part in range(FRAGMENTED):
            pq.write_table(rows_of(part, 5), landing / f"part-{part}.parquet")
        lake.adopt(TABLE, day, str(landing), SCHEMA)
    for writer in (3, 4):
        lake.replace_day(TABLE, DAYS[2], rows_of(writer), SCHEMA)
    abandon(lake, 5)
    return lake


def abandon(lake: Lake, files: int) -> None:
    """Leave files that nobody needs."""
    left, then = Path(lake.landing(TABLE, FIRST)), time.time() - 3 * 86_400
    left.mkdir(parents=True)
    for number in range(files):
        (left / f"left-{number}.parquet").touch()
        os.utime(left / f"left-{number}.parquet", (then, then))


def held(lake: Lake) -> list[dict[object, str]]:
    """What the pinned versions and the newest hold, worked out from the files."""
    versions = (2, 3, 4, lake.version(TABLE))
    return [{day: lake.digest(TABLE, day, version) for day in lake.days(TABLE, version)} for version in versions]


def abandoned(lake: Lake) -> int:
    """How many files are left of those that nobody needs."""
    return len(list(Path(lake.root).rglob("left-*.parquet")))


def finished(lake: Lake) -> bool:
    return not abandoned(lake) and {len(sizes) for sizes in lake.file_sizes(TABLE).values()} == {1}


@pytest.mark.parametrize(
    "point",
    [
        Point(WRITE, 1, after=True),
        Point(COMMIT, 1),
        Point(COMMIT, 2, after=True),
        Point(VACUUM, 1, after=True),
        Point(VACUUM, 2, after=True),
    ],
    ids=lambda point: f"{point.function.partition(':')[2]}-{point.call}",
)
def test_killed_at_a_point_it_is_finished_by_the_next(lake: Lake, point: Point) -> None:
    before = held(lake)
    victim = forks.Process(target=keep_up, args=(lake.root, point))
    victim.start()
    victim.join(timeout=60)
    assert victim.exitcode == -signal.SIGKILL
    assert held(lake) == before
    keep_up(lake.root, None)
    assert held(lake) == before
    assert finished(lake)


def test_killed_in_the_midst_of_removing_files_it_is_finished_by_the_next(lake: Lake) -> None:
    before = held(lake)
    abandon(lake, 1500)
    victim = forks.Process(target=keep_up, args=(lake.root, None))
    victim.start()
    wait_until(lambda: abandoned(lake) < 1500, "the first files are removed")
    victim.kill()
    victim.join(timeout=60)
    assert held(lake) == before
    keep_up(lake.root, None)
    assert held(lake) == before
    assert finished(lake)
