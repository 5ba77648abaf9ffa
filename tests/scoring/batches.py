"""Batches made from their start to where somebody sees them."""

from datetime import UTC, date, datetime
from typing import Any

from pymongo import MongoClient

from rankloop.mongo import connect
from rankloop.scoring.batch import plan, rank_group
from rankloop.scoring.publish import check, keep_scores, publish
from rankloop.settings import Settings
from rankloop.state import rankings
from rankloop.state.rankings import LivePointer

NOW = datetime(2026, 10, 4, 2, tzinfo=UTC)
GROUPS = range(10)

Content = dict[int, dict[str, Any]]


def made(settings: Settings, day: date) -> str:
    """The name of a batch that is written and checked."""
    name = plan(settings, day, NOW)
    for group in GROUPS:
        rank_group(settings, name, group)
    check(settings, name)
    return name


def shown(settings: Settings, day: date) -> str:
    """The name of a batch that is live, and kept."""
    name = made(settings, day)
    publish(settings, name, NOW)
    keep_scores(settings, name)
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
