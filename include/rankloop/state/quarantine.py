"""`rankloop.quarantine`: every row that cleaning rejected, with the reason, for people to look at.

One document a rejected row, named after the document it comes from. Of a list that is rejected as a whole it is one
document for all of its rows, and `rows` says how many they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from pymongo import ASCENDING, DeleteMany, InsertOne, ReplaceOne
from pymongo.errors import ConnectionFailure

from rankloop.mongo import STATE_DB, Client, MongoUnavailableError

QUARANTINE = "quarantine"
AT_A_TIME = 1000


@dataclass(frozen=True)
class RejectedRow:
    """A row that cleaning rejected."""

    collection: str
    day: date
    id: str
    """The document's `_id`."""
    item: int | None
    """The place in its list, from 0; none if the whole document is rejected."""
    rows: int
    """How many rows of the clean table it would have been."""
    key: str | None
    reason: str
    field: str | None
    value: str | None
    arrived: datetime | None

    def document(self) -> dict[str, Any]:
        """Return the row as the quarantine stores it."""
        name = [self.collection, self.day.isoformat(), self.id, *([] if self.item is None else [str(self.item)])]
        return {"_id": "/".join(name), **asdict(self), "day": self.day.isoformat()}


def replace_quarantine(client: Client, collection: str, day: date, rejected: Iterator[RejectedRow]) -> int:
    """Replace the quarantine of a day of a collection by these rows, and return how many documents it has.

    Only what differs is written, and what is no longer rejected goes last: if this is cut short, nothing is missing
    that was there before or is to be there, and doing it again completes it.
    """
    try:
        return _replace(client, collection, day, rejected)
    except ConnectionFailure as error:
        raise MongoUnavailableError(f"MongoDB went away while quarantine was written: {error}") from error


def _replace(client: Client, collection: str, day: date, rejected: Iterator[RejectedRow]) -> int:
    quarantine = client[STATE_DB][QUARANTINE]
    # Also makes the collection, without which the embedded server cannot delete from it.
    quarantine.create_index([("day", ASCENDING), ("collection", ASCENDING), ("reason", ASCENDING)])
    ours = {"day": day.isoformat(), "collection": collection}
    stale = {entry["_id"] for entry in quarantine.find(ours, {"_id": 1})}
    count = 0
    while documents := [entry.document() for entry in islice(rejected, AT_A_TIME)]:
        count += len(documents)
        names = [entry["_id"] for entry in documents]
        there = {entry["_id"]: entry for entry in quarantine.find({"_id": {"$in": [*stale.intersection(names)]}})}
        stale.difference_update(names)
        if changes := _changes(documents, there):
            quarantine.bulk_write(changes, ordered=False)
    gone = iter(sorted(stale))
    while names := list(islice(gone, AT_A_TIME)):
        quarantine.bulk_write([DeleteMany({"_id": {"$in": names}})])
    return count


def _changes(documents: Sequence[dict[str, Any]], there: Mapping[str, dict[str, Any]]) -> list[Any]:
    return [
        ReplaceOne({"_id": entry["_id"]}, entry) if entry["_id"] in there else InsertOne(entry)
        for entry in documents
        if there.get(entry["_id"]) != entry
    ]


def count_quarantine(client: Client, day: date | None = None) -> list[dict[str, Any]]:
    """Count the documents and rows in quarantine, by day, collection, reason and field."""
    group = {name: f"${name}" for name in ("day", "collection", "reason", "field")}
    found = client[STATE_DB][QUARANTINE].aggregate(
        [
            {"$match": {"day": day.isoformat()} if day else {}},
            {"$group": {"_id": group, "documents": {"$sum": 1}, "rows": {"$sum": "$rows"}}},
        ]
    )
    counts = [{**entry["_id"], "documents": entry["documents"], "rows": entry["rows"]} for entry in found]
    return sorted(counts, key=lambda entry: [entry["day"], entry["collection"], entry["reason"], entry["field"] or ""])


def list_quarantine(
    client: Client, day: date, collection: str | None = None, reason: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return the quarantined rows of a day, in the order of arrival."""
    wanted = {"day": day.isoformat(), "collection": collection, "reason": reason}
    query = {name: value for name, value in wanted.items() if value is not None}
    return list(
        client[STATE_DB][QUARANTINE].find(query).sort([("arrived", ASCENDING), ("_id", ASCENDING)]).limit(limit)
    )
