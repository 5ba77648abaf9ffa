"""Measures put down as rows, and a day's rows put into their table."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.tables import SCHEMA


@dataclass(frozen=True)
class Measurement:
    """One row, as `rankloop.monitoring.measure.tables` has it; what is not known is None, or NaN."""

    signal: str
    subject: str
    measure: str
    value: float
    low: float | None = None
    high: float | None = None
    expected: float | None = None
    rows: int = 0
    version: int | None = None

    def as_row(self) -> dict[str, Any]:
        """The row as the lake keeps it, in which no figure is NaN."""
        return {name: None if _unknown(value) else value for name, value in asdict(self).items()}


def _unknown(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def write_measurements(lake: Lake, table: str, day: date, measured: Iterable[Measurement]) -> dict[str, Any]:
    """Make these the day's rows of a table, in an order of their own; those without a value are left out."""
    found = sorted(
        (one for one in measured if not _unknown(one.value)),
        key=lambda one: (one.signal, one.subject, one.measure, one.version or 0),
    )
    rows = pa.Table.from_pylist(
        [one.as_row() for one in found], pa.schema(field for field in SCHEMA if field.name != DAY)
    )
    written = lake.replace_day(table, day, rows, SCHEMA)
    return {"rows": written.rows, "version": written.version, "digest": written.digest}


def read_measurements(lake: Lake, table: str, day: date) -> list[Measurement]:
    """The day's rows of a table; none where there are none."""
    if day not in lake.days(table):
        return []
    rows = lake.read(table, [day]).drop_columns([DAY]).to_pylist()
    return [Measurement(**row) for row in rows]
