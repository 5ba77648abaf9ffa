"""The rankings that the storefront shows: batches, each a collection of its own, and one pointer to the live one.

`recommendations__<batch>` has a document a buyer. A batch is shown only after `serving_state` points to it, and the
pointer is one document: a reader has the old batch or the new one, whole. A batch's name follows from what it was made
from, so writing one again gives the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReplaceOne
from pymongo.errors import ConnectionFailure
from pymongo.write_concern import WriteConcern

from rankloop.errors import RankloopError
from rankloop.mongo import STATE_DB, Client, MongoUnavailableError

COLLECTION_PREFIX = "recommendations__"
BATCHES, STATE, LIVE = "batches", "serving_state", "live"
DEFAULT_BUYER = -1
"""The document for buyers that a batch does not know: the shop's own ranking."""
LISTED = ("products", "scores", "base_scores", "base_ranks", "sources")
AT_A_TIME = 500


class NoSuchBatchError(RankloopError):
    """A batch that is not there, or is not whole."""


@dataclass(frozen=True)
class Ranking:
    """What one buyer is shown, best first; the tuples are of one length."""

    account_id: int
    policy: str
    """`base`, or the version of the model that ranked."""
    products: tuple[int, ...]
    scores: tuple[float, ...]
    base_scores: tuple[float, ...]
    base_ranks: tuple[int, ...]
    """The place of each product by the shop's own score, 1 the best."""
    sources: tuple[str, ...]
    """Where each candidate came from, such as `base+shops`."""


@dataclass(frozen=True)
class Batch:
    """A batch as it is recorded."""

    name: str
    day: date
    """It knows what happened up to the end of this market day."""
    version: int | None
    """Of the model that ranked; None for the shop's own ranking."""
    policy: str
    made_at: datetime | None = None
    published_at: datetime | None = None
    """When it was first made live."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def collection(self) -> str:
        """Where its rankings are."""
        return COLLECTION_PREFIX + self.name


@dataclass(frozen=True)
class LivePointer:
    """The pointer to the live batch."""

    batch: str
    day: date
    version: int | None
    policy: str
    since: datetime


def live_batch(client: Client) -> LivePointer | None:
    """Return the pointer to the live batch, if there is one."""
    found = client[STATE_DB][STATE].find_one({"_id": LIVE})
    if found is None:
        return None
    return LivePointer(
        found["batch"], date.fromisoformat(found["day"]), found["version"], found["policy"], found["since"]
    )


def buyer_ranking(client: Client, batch: str, account_id: int) -> Ranking | None:
    """Return a buyer's ranking in this batch, or None if it has none."""
    found = client[STATE_DB][COLLECTION_PREFIX + batch].find_one({"_id": account_id})
    return _ranking(found) if found else None


def buyer_rankings(client: Client, batch: str, accounts: Iterable[int]) -> Iterator[Ranking]:
    """Return the rankings of those of these buyers who have one in this batch."""
    wanted = {"_id": {"$in": [int(account) for account in accounts]}}
    return (_ranking(found) for found in client[STATE_DB][COLLECTION_PREFIX + batch].find(wanted))


def _ranking(found: Mapping[str, Any]) -> Ranking:
    listed = {name: tuple(found[name]) for name in LISTED}
    return Ranking(found["_id"], found["policy"], **listed)


# Batches


def record_batch(client: Client, batch: Batch) -> None:
    """Note a batch before anything of it is written; noted again, it stays as it was."""
    entry = {name: value for name, value in asdict(batch).items() if name not in {"name", "published_at"}}
    entry["day"] = batch.day.isoformat()
    client[STATE_DB][BATCHES].update_one({"_id": batch.name}, {"$setOnInsert": entry}, upsert=True)
    # Before the first document: an index over many is slow to build, and deleting needs a collection that is there.
    client[STATE_DB][batch.collection].create_index([("baid_group", ASCENDING)])


def batch_by_name(client: Client, name: str) -> Batch:
    """Return the batch with this name."""
    if found := client[STATE_DB][BATCHES].find_one({"_id": name}):
        return _batch(found)
    raise NoSuchBatchError(f"there is no batch {name} in {STATE_DB}.{BATCHES}; run batch_scoring for its day.")


def list_batches(client: Client) -> list[Batch]:
    """Return all recorded batches, newest first."""
    return [_batch(found) for found in client[STATE_DB][BATCHES].find().sort([("made_at", DESCENDING), ("_id", 1)])]


def _batch(found: Mapping[str, Any]) -> Batch:
    return Batch(
        name=found["_id"],
        day=date.fromisoformat(found["day"]),
        version=found["version"],
        policy=found["policy"],
        made_at=found["made_at"],
        published_at=found.get("published_at"),
        facts=found.get("facts", {}),
    )


def add_batch_facts(client: Client, name: str, **facts: Any) -> None:  # noqa: ANN401  (whatever is known of it)
    """Store facts about a batch, in place of those of the same name."""
    client[STATE_DB][BATCHES].update_one(
        {"_id": name}, {"$set": {f"facts.{key}": value for key, value in facts.items()}}
    )


def publish_batch(client: Client, batch: Batch, now: datetime) -> None:
    """Make this batch live: one document changes, and with it what every reader sees."""
    first = {"_id": batch.name, "published_at": {"$exists": False}}
    client[STATE_DB][BATCHES].update_one(first, {"$set": {"published_at": now}})
    pointer = {"batch": batch.name, "day": batch.day.isoformat(), "version": batch.version, "policy": batch.policy}
    shown = live_batch(client)
    if shown is None or shown.batch != batch.name:
        state = client[STATE_DB].get_collection(STATE, write_concern=WriteConcern("majority", j=True))
        state.replace_one({"_id": LIVE}, {"_id": LIVE, **pointer, "since": now}, upsert=True)


def remove_batch(client: Client, batch: Batch) -> None:
    """Remove a batch's rankings, then its record; the live batch is never removed."""
    shown = live_batch(client)
    if shown and shown.batch == batch.name:
        raise NoSuchBatchError(f"the batch {batch.name} is live, so it is not removed. Publish another first.")
    client[STATE_DB].drop_collection(batch.collection)
    client[STATE_DB][BATCHES].delete_one({"_id": batch.name})


# What a batch holds


def write_shard(client: Client, batch: Batch, group: int, rankings: Iterable[Ranking]) -> int:
    """Replace a shard of the batch by these rankings, and return how many they are.

    Only what differs is written: done again after a kill it completes what is there, and of a batch that is live no
    reader ever misses a buyer.
    """
    try:
        return _write_group(client[STATE_DB][batch.collection], group, rankings)
    except ConnectionFailure as error:
        raise MongoUnavailableError(f"MongoDB went away while {batch.collection} was written: {error}") from error


def _write_group(collection: Any, group: int, rankings: Iterable[Ranking]) -> int:  # noqa: ANN401  (a collection)
    stale = {found["_id"] for found in collection.find({"baid_group": group}, {"_id": 1})}
    count, source = 0, iter(rankings)
    while documents := [_document(ranking, group) for ranking in islice(source, AT_A_TIME)]:
        count += len(documents)
        names = {entry["_id"] for entry in documents}
        held = {e["_id"]: e for e in collection.find({"_id": {"$in": [*names & stale]}})} if names & stale else {}
        stale -= names
        if new := [entry for entry in documents if entry["_id"] not in held]:
            collection.insert_many(new, ordered=False)
        if other := [entry for entry in documents if held.get(entry["_id"], entry) != entry]:
            collection.bulk_write([ReplaceOne({"_id": entry["_id"]}, entry) for entry in other], ordered=False)
    if stale:
        collection.delete_many({"_id": {"$in": [*stale]}})
    return count


def _document(ranking: Ranking, group: int) -> dict[str, Any]:
    listed = {name: list(getattr(ranking, name)) for name in LISTED}
    return {"_id": ranking.account_id, "baid_group": group, "policy": ranking.policy, **listed}


def batch_rankings(client: Client, batch: Batch) -> Iterator[Ranking]:
    """Return all rankings of a batch, by shard and buyer."""
    found = client[STATE_DB][batch.collection].find().sort([("baid_group", ASCENDING), ("_id", ASCENDING)])
    return (_ranking(entry) for entry in found)
