"""What other processes do to a lake in tests; apart, so that they import no more than they need."""

import os
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

import pyarrow as pa

from rankloop.lake.maintenance import compact_tables, vacuum_lake
from rankloop.lake.tables import Lake
from tests.killing import Point, mine

TABLE = "events/things"
SCHEMA = pa.schema({"dt": pa.date32(), "writer": pa.int64(), "n": pa.int64()})
FIRST = date(2026, 11, 2)
ROWS = 50


def rows_of(writer: int, count: int = ROWS) -> pa.Table:
    """The rows of one writer."""
    return pa.table({"writer": [writer] * count, "n": range(count)})


def replace_days(root: str, writer: int, offsets: list[int], together: Barrier) -> None:
    """Replace some days, beginning when all the other writers do."""
    lake = Lake(root)
    together.wait(timeout=60)
    for offset in offsets:
        lake.replace_day(TABLE, FIRST + timedelta(days=offset), rows_of(writer), SCHEMA)


def die_in_the_middle(root: str, batches: int) -> None:
    """Replace the first day by a stream that kills this process on its way, after so many batches."""

    def stream() -> Iterator[Any]:
        for _ in range(batches):
            yield from rows_of(9, 100_000).to_batches()
        os.kill(os.getpid(), signal.SIGKILL)

    data = pa.RecordBatchReader.from_batches(rows_of(9).schema, stream())
    Lake(root).replace_day(TABLE, FIRST, data, SCHEMA)


def keep_up(root: str, point: Point | None) -> None:
    """Compact and vacuum the lake, and die at the point, if any."""
    if point:
        mine(point)
    lake = Lake(root)
    compact_tables(lake)
    vacuum_lake(lake, {TABLE: {2: [1]}}, keep_days=1)
