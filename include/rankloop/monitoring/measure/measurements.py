"""Measurements, and how a day's are written to their table and read."""

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
    """One row of a table of `rankloop.monitoring.measure.tables`; an unknown figure is None or NaN."""

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
        """Return the row as the lake stores it, in which no figure is NaN."""
        return {name: None if _unknown(value) else value for name, value in asdict(self).items()}


def _unknown(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def write_measurements(lake: Lake, table: str, day: date, measurements: Iterable[Measurement]) -> dict[str, Any]:
    """Replace the day's rows of a table, in a fixed order; measurements without a value are left out."""
    ordered = sorted(
        (measurement for measurement in measurements if not _unknown(measurement.value)),
        key=lambda measurement: (
            measurement.signal,
            measurement.subject,
            measurement.measure,
            measurement.version or 0,
        ),
    )
    rows = pa.Table.from_pylist(
        [measurement.as_row() for measurement in ordered], pa.schema(field for field in SCHEMA if field.name != DAY)
    )
    written = lake.replace_day(table, day, rows, SCHEMA)
    return {"rows": written.rows, "version": written.version, "digest": written.digest}


def read_measurements(lake: Lake, table: str, day: date) -> list[Measurement]:
    """Return the day's rows of a table, if any."""
    if day not in lake.days(table):
        return []
    rows = lake.read(table, [day]).drop_columns([DAY]).to_pylist()
    return [Measurement(**row) for row in rows]
