"""Batches made from their start to where somebody sees them, each step in a context of its own as its task runs it."""

from datetime import UTC, date, datetime
from typing import Any

from pymongo import MongoClient

from rankloop.context import open_context
from rankloop.lake.commits import WriteResult
from rankloop.mongo import connect
from rankloop.scoring.archive import archive_batch, remove_old_batches
from rankloop.scoring.batch import plan_batch, rank_shards
from rankloop.scoring.publishing import publish_if_current, republish_champion_batch, superseded_reason
from rankloop.scoring.validation import validate_batch
from rankloop.settings import Settings
from rankloop.state import rankings
from rankloop.state.rankings import LivePointer

NOW = datetime(2026, 10, 4, 2, tzinfo=UTC)
SHARDS = range(10)

Content = dict[int, dict[str, Any]]


def plan(settings: Settings, day: date, now: datetime = NOW) -> str:
    """Plan a batch; return its name."""
    with open_context(settings, lambda: now) as context:
        return plan_batch(context, day)


def rank(settings: Settings, name: str, shard: int) -> None:
    """Rank one shard of the buyers."""
    with open_context(settings) as context:
        rank_shards(context, name, [shard])


def check(settings: Settings, name: str) -> None:
    """Validate a batch."""
    with open_context(settings) as context:
        validate_batch(context.state, context.lake, name)


def publish(settings: Settings, name: str, now: datetime = NOW) -> str:
    """Publish a batch if it is current; return what was done."""
    with open_context(settings) as context:
        return publish_if_current(context.state, context.registry, name, now)


def archive(settings: Settings, name: str) -> WriteResult | None:
    """Write a batch to the lake."""
    with open_context(settings) as context:
        return archive_batch(context.state, context.lake, name)


def remove_old(settings: Settings) -> list[str]:
    """Remove old batches; return their names."""
    with open_context(settings) as context:
        return remove_old_batches(context.state, context.registry, settings.scoring.keep_batches)


def republish(settings: Settings, now: datetime = NOW) -> str:
    """Publish the champion's last batch; return its name."""
    with open_context(settings) as context:
        return republish_champion_batch(context.state, context.registry, now)


def why_superseded(settings: Settings, day: date) -> str:
    """Return why no rankings as of this day are needed."""
    with open_context(settings) as context:
        return superseded_reason(context.state, day)


def made(settings: Settings, day: date) -> str:
    """Return the name of a new batch that is written and checked."""
    name = plan(settings, day)
    with open_context(settings) as context:
        rank_shards(context, name, SHARDS)
    check(settings, name)
    return name


def shown(settings: Settings, day: date) -> str:
    """Return the name of a new batch that is live and archived."""
    name = made(settings, day)
    publish(settings, name)
    archive(settings, name)
    return name


def live(settings: Settings) -> LivePointer | None:
    """What is live."""
    with connect(settings.mongo) as client:
        return rankings.live_batch(client)


def content(settings: Settings, name: str) -> Content:
    """All that a batch holds, by buyer."""
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        return {found["_id"]: found for found in client["rankloop"][rankings.COLLECTION_PREFIX + name].find()}


def recorded(settings: Settings) -> list[str]:
    """The names of all batches, and the collections that there are of them."""
    with connect(settings.mongo) as client:
        names = [batch.name for batch in rankings.list_batches(client)]
        there = [
            name for name in client["rankloop"].list_collection_names() if name.startswith(rankings.COLLECTION_PREFIX)
        ]
    assert sorted(there) == sorted(rankings.COLLECTION_PREFIX + name for name in names)
    return names
