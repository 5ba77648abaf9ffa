"""Reads one market day of a collection as Arrow, by index, in bounded memory, whatever its documents look like.

An event belongs to the day of its `ts`, and is found by it. One whose `ts` is missing, is no date, or lies after its
own arrival belongs to the day on which it arrived: that it does is in its `_id`, and by that it is found.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from rankloop.calendar import start_of
from rankloop.contracts.cleaning import QuarantineReason
from rankloop.contracts.marketplace import IMPRESSIONS
from rankloop.contracts.sources import ARRIVED, FAULTS, ID, FieldContract, SourceContract
from rankloop.mongo import SHOP_DB, Client
from rankloop.sources.mongo.conform import describe_value
from rankloop.sources.mongo.decoding import decode_batch, projection
from rankloop.sources.mongo.read_ahead import Cursor, read_ahead

Bools = npt.NDArray[np.bool_]
TS = "ts"
SLICES = 24
"""Parts of a day that readers share."""

LIST_NAMES = SourceContract(
    IMPRESSIONS, "", "request_id", (FieldContract("request_id", pa.string(), required=False),), event=True
)
"""The names of lists alone, for the reactions that come after midnight to a list of the day before."""


@dataclass(frozen=True)
class Reader:
    """How to read: whose day, from where, with how many threads, and how far clocks may be apart."""

    client: Client
    zone: ZoneInfo
    readers: int = 4
    skew: timedelta = timedelta(minutes=5)


@dataclass
class Reading:
    """A day being read; the counts are whole once all tables were taken."""

    tables: Iterator[pa.Table]
    counts: dict[str, int] = field(default_factory=dict)


def read_day(reader: Reader, source: SourceContract, day: date) -> Reading:
    """The day's rows of a source: of events those that belong to it, of a catalogue all there are now."""
    counts = {"documents": 0, "elsewhere": 0}
    if not source.event:
        return Reading(_counted(_tables(reader, source, [{}]), counts), counts)
    begin, end = bounds(day, reader.zone)
    queries = _queries(begin, end)
    return Reading(_of_day(_counted(_tables(reader, source, queries), counts), (begin, end), reader, counts), counts)


def list_names(reader: Reader, day: date) -> Iterator[pa.Table]:
    """The names of all lists of a day, whatever else is wrong with them."""
    begin, end = bounds(day, reader.zone)
    queries = _queries(begin, end)
    for table in _tables(reader, LIST_NAMES, queries):
        yield table.filter(table["request_id"].is_valid()).select(["request_id"])


def count_by_time(reader: Reader, source: SourceContract, day: date) -> int:
    """How many documents claim a time within the day, from the index alone."""
    begin, end = bounds(day, reader.zone)
    return reader.client[SHOP_DB][source.collection].count_documents({TS: {"$gte": begin, "$lt": end}})


def had_begun(reader: Reader, source: SourceContract, by: datetime | None) -> bool:
    """Whether any document of a collection had arrived by then, or ever, of those whose `_id` says when.

    Asking for the oldest would take the embedded server longer than to read a day: it sorts all that there is.
    """
    # Other kinds of `_id` sort before ObjectIds; a range of ObjectIds holds nothing else, and the index has it.
    dated = {"$gte": ObjectId(bytes(12))} | ({"$lt": ObjectId.from_datetime(by)} if by else {})
    return reader.client[SHOP_DB][source.collection].find_one({"_id": dated}, {"_id": 1}) is not None


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first instant of a market day and of the next one."""
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)


def _queries(begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """What finds every event of a day. The one that looks longest for the least goes first, beside the others."""
    return [_arrived_without_time(begin, end), *_slices(begin, end)]


def _slices(begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Queries for the parts of a day, each answered from the index on `ts`."""
    step = (end - begin) / SLICES
    edges = [begin + number * step for number in range(SLICES)]
    edges = [edge.replace(microsecond=edge.microsecond // 1000 * 1000) for edge in edges]
    return [{TS: {"$gte": low, "$lt": high}} for low, high in zip(edges, [*edges[1:], end], strict=True)]


def _arrived_without_time(begin: datetime, end: datetime) -> dict[str, Any]:
    """A query for what arrived on the day and cannot be found by its `ts`."""
    arrived = {"$gte": ObjectId.from_datetime(begin), "$lt": ObjectId.from_datetime(end)}
    return {"_id": arrived, "$or": [{TS: {"$not": {"$type": "date"}}}, {TS: {"$gte": end}}]}


def _tables(reader: Reader, source: SourceContract, queries: list[dict[str, Any]]) -> Iterator[pa.Table]:
    collection, wanted = reader.client[SHOP_DB][source.collection], projection(source)

    def cursor(query: dict[str, Any]) -> Cursor:
        return lambda: iter(collection.find_raw_batches(query, projection=wanted))

    for batch in read_ahead([cursor(query) for query in queries], reader.readers):
        if batch:
            yield decode_batch(batch, source)


def _counted(tables: Iterator[pa.Table], counts: dict[str, int]) -> Iterator[pa.Table]:
    for table in tables:
        counts["documents"] += len(table)
        yield table


def _of_day(
    tables: Iterator[pa.Table], day: tuple[datetime, datetime], reader: Reader, counts: dict[str, int]
) -> Iterator[pa.Table]:
    """The rows that belong to the day; those that claim a later time than that of their arrival are marked so."""
    begin, end = day
    skew_ms = reader.skew // timedelta(milliseconds=1)
    seen: set[str] = set()
    for table in tables:
        at, arrived = table[TS], table[ARRIVED]
        early = _true(pc.greater(at.cast(pa.int64()), pc.add(arrived.cast(pa.int64()), skew_ms)))
        came_today = _true(pc.and_(pc.greater_equal(arrived, begin), pc.less(arrived, end)))
        happened_today = _true(pc.and_(pc.greater_equal(at, begin), pc.less(at, end)))
        belongs = np.where(early, came_today, happened_today | _first_time(table, seen))
        counts["elsewhere"] += len(table) - int(belongs.sum())
        yield _marked(table, np.flatnonzero(early)).filter(pa.array(belongs))


def _true(condition: Any) -> Bools:  # noqa: ANN401  (pyarrow ships no types)
    return np.asarray(pc.fill_null(condition, fill_value=False).to_numpy())


def _first_time(table: pa.Table, seen: set[str]) -> Bools:
    """Which rows have no time and were not seen yet: a document whose time is an array may be found more than once."""
    first = np.zeros(len(table), dtype=np.bool_)
    for row in np.flatnonzero(table[TS].is_null().to_numpy()).tolist():
        identity = table[ID][row].as_py()
        first[row] = identity not in seen
        seen.add(identity)
    return first


def _marked(table: pa.Table, early: Any) -> pa.Table:  # noqa: ANN401  (NumPy's numbers)
    """The rows, with the fault noted on those that came before their own time."""
    if not len(early) or FAULTS not in table.schema.names:
        return table
    faults = table[FAULTS].to_pylist()
    times = table[TS].cast(pa.int64()).take(pa.array(early)).to_pylist()
    for row, time in zip(early.tolist(), times, strict=True):
        fault = {
            "item": None,
            "field": TS,
            "reason": QuarantineReason.FUTURE_TIME.value,
            "value": describe_value(DatetimeMS(time)),
        }
        faults[row] = [*(faults[row] or []), fault]
    kind = table.schema.field(FAULTS).type
    return table.set_column(table.schema.get_field_index(FAULTS), FAULTS, pa.array(faults, kind))
