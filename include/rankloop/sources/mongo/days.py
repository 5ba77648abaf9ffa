"""Says which of the events that a query found belong to a market day."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from bson.datetime_ms import DatetimeMS

from rankloop.contracts.cleaning import QuarantineReason
from rankloop.contracts.sources import ARRIVED, FAULTS, ID
from rankloop.sources.mongo.conform import describe_value

Bools = npt.NDArray[np.bool_]
TS = "ts"


def rows_of_day(
    tables: Iterator[pa.Table], bounds: tuple[datetime, datetime], skew: timedelta, counts: dict[str, int]
) -> Iterator[pa.Table]:
    """Yield the rows that belong to the day between these bounds, and count those that do not as `elsewhere`.

    Those that claim a later time than that of their arrival, by more than `skew`, are marked as faulty.
    """
    begin, end = bounds
    skew_ms = skew // timedelta(milliseconds=1)
    ids_without_time: set[str] = set()
    for table in tables:
        at, arrived = table[TS], table[ARRIVED]
        early = _true(pc.greater(at.cast(pa.int64()), pc.add(arrived.cast(pa.int64()), skew_ms)))
        arrived_today = _true(pc.and_(pc.greater_equal(arrived, begin), pc.less(arrived, end)))
        happened_today = _true(pc.and_(pc.greater_equal(at, begin), pc.less(at, end)))
        belongs = np.where(early, arrived_today, happened_today | _first_without_time(table, ids_without_time))
        counts["elsewhere"] += len(table) - int(belongs.sum())
        yield _with_future_time_fault(table, np.flatnonzero(early)).filter(pa.array(belongs))


def _true(condition: Any) -> Bools:  # noqa: ANN401  (pyarrow ships no types)
    return np.asarray(pc.fill_null(condition, fill_value=False).to_numpy())


def _first_without_time(table: pa.Table, ids: set[str]) -> Bools:
    """Return which rows have no time and an id that is new: a document whose time is an array may be read twice."""
    first = np.zeros(len(table), dtype=np.bool_)
    for row in np.flatnonzero(table[TS].is_null().to_numpy()).tolist():
        identity = table[ID][row].as_py()
        first[row] = identity not in ids
        ids.add(identity)
    return first


def _with_future_time_fault(table: pa.Table, early: Any) -> pa.Table:  # noqa: ANN401  (NumPy's numbers)
    """Return the rows, with the fault noted on those that arrived before their own time."""
    if not len(early) or FAULTS not in table.schema.names:
        return table
    faults = table[FAULTS].to_pylist()
    times = table[TS].cast(pa.int64()).take(pa.array(early)).to_pylist()
    for row, time in zip(early.tolist(), times, strict=True):
        reason, value = QuarantineReason.FUTURE_TIME.value, describe_value(DatetimeMS(time))
        faults[row] = [*(faults[row] or []), {"item": None, "field": TS, "reason": reason, "value": value}]
    kind = table.schema.field(FAULTS).type
    return table.set_column(table.schema.get_field_index(FAULTS), FAULTS, pa.array(faults, kind))
