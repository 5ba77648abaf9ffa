"""The rankings that the storefront shows: batches, each a collection of its own, and one pointer to the live one.

`recommendations__<batch>` has a document a buyer. A batch is shown only after `serving_state` points to it, and the
pointer is one document: a reader has the old batch or the new one, whole. A batch's name follows from what it was made
from, so whoever writes one again writes the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.write_concern import WriteConcern

from rankloop.errors import RankloopError
from rankloop.marketplace.connection import OUTPUT, Client

PREFIX = "recommendations__"
BATCHES, STATE, LIVE = "batches", "serving_state", "live"
ANYBODY = -1
"""The document for buyers that a batch does not know: the shop's own ranking."""


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
        return PREFIX + self.name


@dataclass(frozen=True)
class Live:
    """What the pointer says."""

    batch: str
    day: date
    version: int | None
    policy: str
    since: datetime


def live(client: Client) -> Live | None:
    """The batch that is shown now, if any is."""
    found = client[OUTPUT][STATE].find_one({"_id": LIVE})
    if found is None:
        return None
    return Live(found["batch"], date.fromisoformat(found["day"]), found["version"], found["policy"], found["since"])


def ranking_of(client: Client, batch: str, account_id: int) -> Ranking | None:
    """What a buyer is shown by this batch; None for a buyer that it does not know."""
    found = client[OUTPUT][PREFIX + batch].find_one({"_id": account_id})
    return _ranking(found) if found else None


def rankings_of(client: Client, batch: str, accounts: Iterable[int]) -> Iterator[Ranking]:
    """What these buyers are shown by this batch; none for those that it does not know."""
    wanted = {"_id": {"$in": [int(account) for account in accounts]}}
    return (_ranking(found) for found in client[OUTPUT][PREFIX + batch].find(wanted))


def _ranking(found: Mapping[str, Any]) -> Ranking:
    listed = {name: tuple(found[name]) for name in ("products", "scores", "base_scores", "base_ranks", "sources")}
    return Ranking(found["_id"], found["policy"], **listed)


# Batches


def record_batch(client: Client, batch: Batch) -> None:
    """Note a batch before anything of it is written; noted again, it stays as it was."""
    entry = {name: value for name, value in asdict(batch).items() if name not in {"name", "published_at"}}
    entry["day"] = batch.day.isoformat()
    client[OUTPUT][BATCHES].update_one({"_id": batch.name}, {"$setOnInsert": entry}, upsert=True)
    # Before the first document: an index over many is slow to build, and deleting needs a collection that is there.
    client[OUTPUT][batch.collection].create_index([("baid_group", ASCENDING)])


def batch_called(client: Client, name: str) -> Batch:
    """A batch by its name."""
    if found := client[OUTPUT][BATCHES].find_one({"_id": name}):
        return _batch(found)
    raise NoSuchBatchError(f"there is no batch {name} in {OUTPUT}.{BATCHES}; run batch_scoring for its day.")


def batches(client: Client) -> list[Batch]:
    """All batches that are recorded, the newest first."""
    return [_batch(found) for found in client[OUTPUT][BATCHES].find().sort([("made_at", DESCENDING), ("_id", 1)])]


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


def make_live(client: Client, batch: Batch, now: datetime) -> None:
    """Show this batch from now on: one document changes, and with it what every reader sees."""
    first = {"_id": batch.name, "published_at": {"$exists": False}}
    client[OUTPUT][BATCHES].update_one(first, {"$set": {"published_at": now}})
    pointer = {"batch": batch.name, "day": batch.day.isoformat(), "version": batch.version, "policy": batch.policy}
    state = client[OUTPUT].get_collection(STATE, write_concern=WriteConcern("majority", j=True))
    state.update_one({"_id": LIVE, "batch": {"$ne": batch.name}}, {"$set": {**pointer, "since": now}}, upsert=False)
    state.update_one({"_id": LIVE}, {"$setOnInsert": {**pointer, "since": now}}, upsert=True)
