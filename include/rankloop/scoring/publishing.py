"""Decides which batch is live: a new one, or after a rollback or a hold an earlier one."""

import logging
from collections.abc import Iterable
from datetime import date, datetime

from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_number
from rankloop.mongo import Client
from rankloop.registry.connection import Registry
from rankloop.scoring.batch import BatchError
from rankloop.state import actions, rankings
from rankloop.state.rankings import Batch

log = logging.getLogger(__name__)


def publish_if_current(state: Client, registry: Registry, name: str, now: datetime) -> str:
    """Publish a validated batch, unless another should be live; return what was done, and why."""
    batch = rankings.batch_by_name(state, name)
    if "checked" not in batch.facts:
        raise BatchError(f"the batch {name} was not checked; clear the task `check`.")
    if reason := _why_not_current(state, registry, batch):
        log.warning("%s is not made live: %s", name, reason)
        return f"not made live: {reason}"
    rankings.publish_batch(state, batch, now)
    return f"live: {batch.policy}, as of {batch.day}"


def _why_not_current(state: Client, registry: Registry, batch: Batch) -> str:
    """Return why a batch must not go live: an old day that was cleared, or the champion changed since; else nothing."""
    live = rankings.live_batch(state)
    champion = champion_number(reconcile_aliases(state, registry))
    if batch.version is not None and (hold_reason := actions.held_versions(state).get(batch.version)):
        return f"{batch.policy} is held back: {hold_reason}"
    if batch.version != champion and not batch.facts["notes"]:
        return f"{batch.policy} ranked it, and is not the champion any more; that decision started scoring again"
    if live and live.day > batch.day and live.version == champion:
        return f"the live batch is of a later day, {live.day}"
    return ""


def republish_champion_batch(state: Client, registry: Registry, now: datetime) -> str:
    """Publish the last batch that the present champion ranked, after a rollback to it.

    Return its name, or nothing if there is none any more.
    """
    champion = champion_number(reconcile_aliases(state, registry))
    batch = _newest(batch for batch in rankings.list_batches(state) if batch.version == champion)
    if batch:
        rankings.publish_batch(state, batch, now)
    return batch.name if batch else ""


def publish_fallback(state: Client, now: datetime) -> str:
    """Publish the newest other batch where the live one was ranked by a version that is held back.

    Return the name of the live batch, or nothing if there is no other.
    """
    held, live = actions.held_versions(state), rankings.live_batch(state)
    if live and live.version not in held:
        return live.batch
    batch = _newest(batch for batch in rankings.list_batches(state) if batch.version not in held)
    if batch:
        rankings.publish_batch(state, batch, now)
    return batch.name if batch else ""


def _newest(batches: Iterable[Batch]) -> Batch | None:
    """Return the newest of those that were published before."""
    published = (batch for batch in batches if batch.published_at)
    return max(published, key=lambda batch: (batch.day, batch.published_at), default=None)


def superseded_reason(state: Client, day: date) -> str:
    """Return why no rankings as of this day are needed, or nothing: a later day is live, and this one never was."""
    live = rankings.live_batch(state)
    was_live = any(batch.day == day and batch.published_at for batch in rankings.list_batches(state))
    if live and live.day > day and not was_live:
        return f"the live batch is of a later day, {live.day}; nobody will see rankings as of {day}"
    return ""
