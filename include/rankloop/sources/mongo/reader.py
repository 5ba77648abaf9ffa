"""Reads one market day of a collection as Arrow, by index, in bounded memory, whatever its documents look like.

An event belongs to the day of its `ts`, and is found by it. One whose `ts` is missing, is no date, or lies after its
own arrival belongs to the day on which it arrived: that it does is in its `_id`, and by that it is found.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
from bson import ObjectId
from pymongo.database import Database

from rankloop.calendar import day_bounds
from rankloop.contracts.marketplace import IMPRESSIONS
from rankloop.contracts.sources import FieldContract, SourceContract
from rankloop.mongo import SHOP_DB
from rankloop.sources.mongo.days import TS, rows_of_day
from rankloop.sources.mongo.decoding import decode_batch, projection
from rankloop.sources.mongo.read_ahead import Cursor, read_ahead
from rankloop.sources.protocol import DayRead, SourceConfig

Query = dict[str, Any]
SLICES = 24
"""Parts of a day that readers share."""
LIST_IDS = SourceContract(
    IMPRESSIONS, "", "request_id", (FieldContract("request_id", pa.string(), required=False),), event=True
)
"""The ids of lists alone."""


class MongoSource:
    """A shop whose collections are in MongoDB, in the database `marketplace`, under the names of the contracts."""

    def __init__(self, config: SourceConfig) -> None:
        self._connect = config.mongo
        self._zone, self._settings = config.zone, config.settings

    @property
    def _database(self) -> Database[dict[str, Any]]:
        """The shop's database; connected to when it is first read, for not every task reads it."""
        return self._connect()[SHOP_DB]

    def read_day(self, contract: SourceContract, day: date) -> DayRead:
        """Read the rows of a collection: of events those of the day, of a catalogue all that there are now."""
        counts = {"elsewhere": 0}
        if not contract.event:
            return DayRead(_batches(self._tables(contract, [{}])), counts)
        bounds = day_bounds(day, self._zone)
        skew = timedelta(seconds=self._settings.clock_skew_s)
        tables = rows_of_day(self._tables(contract, _queries(*bounds)), bounds, skew, counts)
        return DayRead(_batches(tables), counts)

    def read_list_ids(self, day: date) -> Iterator[pa.RecordBatch]:
        """Read the ids of all lists of a day, whatever else is wrong with them."""
        tables = self._tables(LIST_IDS, _queries(*day_bounds(day, self._zone)))
        return _batches(table.filter(table["request_id"].is_valid()).select(["request_id"]) for table in tables)

    def count_in_day(self, contract: SourceContract, day: date) -> int:
        """Count the documents that claim a time within the day, from the index alone."""
        begin, end = day_bounds(day, self._zone)
        return self._database[contract.collection].count_documents({TS: {"$gte": begin, "$lt": end}})

    def has_lists_before(self, instant: datetime | None) -> bool:
        """Return whether any list had arrived by then, or ever, of those whose `_id` says when it did.

        Asking for the oldest would take the embedded server longer than to read a day: it sorts all that there is.
        """
        # Other kinds of `_id` sort before ObjectIds; a range of ObjectIds holds nothing else, and the index has it.
        dated = {"$gte": ObjectId(bytes(12))} | ({"$lt": ObjectId.from_datetime(instant)} if instant else {})
        return self._database[IMPRESSIONS].find_one({"_id": dated}, {"_id": 1}) is not None

    def is_complete(self, day: date) -> bool:
        """Return whether the collection of complete days has a document for this one, as a nightly job writes it."""
        if not self._settings.complete_days:
            return True
        database, _, name = self._settings.complete_days.partition(".")
        return self._connect()[database][name].find_one({"_id": day.isoformat()}, {"_id": 1}) is not None

    def close(self) -> None:
        """Leave the client open: it belongs to the opener of the source."""

    def _tables(self, contract: SourceContract, queries: list[Query]) -> Iterator[pa.Table]:
        collection, fields = self._database[contract.collection], projection(contract)

        def cursor(query: Query) -> Cursor:
            return lambda: iter(collection.find_raw_batches(query, projection=fields))

        for batch in read_ahead([cursor(query) for query in queries], self._settings.readers):
            if batch:
                yield decode_batch(batch, contract)


def _batches(tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
    for table in tables:
        yield from table.to_batches()


def _queries(begin: datetime, end: datetime) -> list[Query]:
    """Return the queries that find every event of a day; the slowest goes first, to run beside the others."""
    return [_arrived_without_time(begin, end), *_slices(begin, end)]


def _slices(begin: datetime, end: datetime) -> list[Query]:
    """Return a query for each part of a day, which the index on `ts` answers."""
    step = (end - begin) / SLICES
    edges = [begin + number * step for number in range(SLICES)]
    edges = [edge.replace(microsecond=edge.microsecond // 1000 * 1000) for edge in edges]
    return [{TS: {"$gte": low, "$lt": high}} for low, high in zip(edges, [*edges[1:], end], strict=True)]


def _arrived_without_time(begin: datetime, end: datetime) -> Query:
    """Return a query for events that arrived on the day and that no query by `ts` of that day finds."""
    arrived = {"$gte": ObjectId.from_datetime(begin), "$lt": ObjectId.from_datetime(end)}
    return {"_id": arrived, "$or": [{TS: {"$not": {"$type": "date"}}}, {TS: {"$gte": end}}]}
