"""Puts a simulated day's documents into MongoDB, and remembers which days are there.

Every document has the same `_id` however often it is made, so a load that was cut short is simply done again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, ReplaceOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from rankloop.contracts.marketplace import COLLECTIONS, INDEXES
from rankloop.errors import RankloopError, TransientError
from rankloop.mongo import SHOP_DB, Client

SIMULATOR = "simulator"
DUPLICATE_KEY = 11000
BEGIN_AGAIN = (
    "`make clean` where the server is the embedded one, or else drop the databases "
    f"`{SHOP_DB}` and `{SIMULATOR}` of your MongoDB"
)


class LoadError(RankloopError):
    """Documents that MongoDB did not take."""


class BrokenOffError(TransientError):
    """A load that MongoDB did not let us finish."""


class OtherWorldError(RankloopError):
    """The marketplace in MongoDB was simulated with other settings."""


def prepare(client: Client) -> None:
    """Make the indexes; before any document, since an index over loaded documents is slow to build."""
    with named("indexes"):
        for collection, indexes in INDEXES.items():
            for fields in indexes:
                client[SHOP_DB][collection].create_index([(name, ASCENDING) for name in fields])


def load(
    client: Client, new: Mapping[str, Sequence[Any]], changed: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, int]:
    """Insert what is new and replace what changed; by collection, how many documents there were."""
    counts: dict[str, int] = {}
    for collection, documents in new.items():
        _insert(client, collection, documents)
        counts[collection] = len(documents)
    for collection, documents in changed.items():
        _replace(client, collection, documents)
        counts[collection] = counts.get(collection, 0) + len(documents)
    return counts


def _insert(client: Client, collection: str, documents: Sequence[Any]) -> None:
    if not documents:
        return
    # Raw BSON goes to the server as it is; the rest is encoded by the driver.
    ready = [RawBSONDocument(entry) if isinstance(entry, bytes) else entry for entry in documents]
    with named(collection, len(documents)):
        client[SHOP_DB][collection].insert_many(ready, ordered=False)


def _replace(client: Client, collection: str, documents: Sequence[Mapping[str, Any]]) -> None:
    if not documents:
        return
    requests = [ReplaceOne({"_id": entry["_id"]}, dict(entry), upsert=True) for entry in documents]
    with named(collection, len(documents)):
        client[SHOP_DB][collection].bulk_write(requests, ordered=False)


@contextmanager
def named(what: str, count: int = 1) -> Iterator[None]:
    """Raise errors of MongoDB as ours; a document that is there already is no error, since it is the same one."""
    try:
        yield
    except BulkWriteError as error:
        refused = [entry for entry in error.details["writeErrors"] if entry["code"] != DUPLICATE_KEY]
        if refused:
            raise LoadError(
                f"{what}: MongoDB refused {len(refused)} of {count} documents, "
                f"the first because: {refused[0]['errmsg']}"
            ) from None
    except OperationFailure as error:
        raise LoadError(f"{what}: MongoDB refused: {(error.details or {}).get('errmsg', error)}") from error
    except PyMongoError as error:
        raise BrokenOffError(
            f"{what}: the load broke off ({error}). Nothing is lost: run the same command again once MongoDB "
            "is up, and it goes on with the day that was not finished."
        ) from error


def lived_days(client: Client) -> dict[date, dict[str, Any]]:
    """Return the simulated days that are complete in MongoDB, with what is recorded of each."""
    with named("the record of simulated days"):
        return {date.fromisoformat(entry["_id"]): entry for entry in client[SIMULATOR]["days"].find()}


def claim(client: Client, world: Mapping[str, Any]) -> None:
    """Refuse to add days of one world to another's, or to a shop that is no simulation."""
    existing = claimed(client)
    if existing is None:
        if held := [name for name in COLLECTIONS if client[SHOP_DB][name].find_one({}, {"_id": 1})]:
            raise OtherWorldError(
                f"the database `{SHOP_DB}` already holds {', '.join(held)} that no simulator wrote. "
                "It is left as it is; point RANKLOOP_MONGO_URI at another MongoDB to simulate one."
            )
        client[SIMULATOR]["worlds"].insert_one({"_id": SHOP_DB, **world})
        return
    differing = [
        f"{name} = {existing.get(name)}, not {value}" for name, value in world.items() if existing.get(name) != value
    ]
    if differing:
        raise OtherWorldError(
            f"the marketplace in MongoDB was simulated with {'; '.join(differing)}. "
            f"Go on with those settings, or begin again: {BEGIN_AGAIN}."
        )


def claimed(client: Client) -> dict[str, Any] | None:
    """Return the settings that the marketplace in MongoDB was simulated with, or None if there is none."""
    with named("the record of the simulated world"):
        return client[SIMULATOR]["worlds"].find_one({"_id": SHOP_DB}, {"_id": 0})


def record_day(client: Client, day: date, facts: Mapping[str, Any]) -> None:
    """Note that a day is whole. Written last, so a day cut short is not taken for one."""
    entry = {"_id": day.isoformat(), **facts, "finished_at": datetime.now(UTC)}
    with named("the record of simulated days"):
        client[SIMULATOR]["days"].replace_one({"_id": entry["_id"]}, entry, upsert=True)
