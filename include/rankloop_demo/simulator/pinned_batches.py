"""What the simulated storefront showed on a day, and what that day left to arrive on the next.

Both are kept in the simulator's database. A day that was cut short is lived again with the batch that it was begun
with, whatever is live by then; and what it left for the next day is read, not worked out again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from rankloop.errors import RankloopError
from rankloop.mongo import STATE_DB, Client
from rankloop.state.rankings import COLLECTION_PREFIX, Ranking, buyer_rankings, live_batch
from rankloop_demo.simulator.loading import SIMULATOR, named

SHOWN, LEFT = "shown", "left_for_tomorrow"


class BatchGoneError(RankloopError):
    """A day was begun with a batch that is not there any more."""


@dataclass(frozen=True)
class Shown:
    """What the storefront shows on a day."""

    batch: str | None
    """None where every buyer sees the shop's own ranking."""
    control_share: float
    """The share of buyers who see the shop's own ranking all the same."""


def pin(client: Client, day: date, control_share: float) -> Shown:
    """Return what is shown on this day: decided when the day is first simulated, and never again."""
    with named("what the storefront shows"):
        first = {"batch": _showable(client, day), "control_share": control_share}
        days = client[SIMULATOR][SHOWN]
        days.update_one({"_id": day.isoformat()}, {"$setOnInsert": first}, upsert=True)
        shown = _shown(client, day)
        there = shown.batch is None or _has_rankings(client, shown.batch)
    if shown.batch and not there:
        raise BatchGoneError(
            f"{day} was begun with the rankings of the batch {shown.batch}, of which "
            f"{STATE_DB}.{COLLECTION_PREFIX + shown.batch} has none any more: with others it would become "
            "another day. Have batch_scoring make that batch again, then live the day again."
        )
    return shown


def _showable(client: Client, day: date) -> str | None:
    """Return the live batch if it can be shown on this day: one of an earlier day that still has its rankings."""
    pointer = live_batch(client)
    return pointer.batch if pointer and pointer.day < day and _has_rankings(client, pointer.batch) else None


def _has_rankings(client: Client, batch: str) -> bool:
    return client[STATE_DB][COLLECTION_PREFIX + batch].find_one({}, {"_id": 1}) is not None


def _shown(client: Client, day: date) -> Shown:
    entry = client[SIMULATOR][SHOWN].find_one({"_id": day.isoformat()}) or {"batch": None, "control_share": 1.0}
    return Shown(entry["batch"], entry["control_share"])


def rankings_shown(client: Client, shown: Shown, accounts: Iterable[int]) -> list[Ranking]:
    """Return the rankings of those of these buyers whom the day's batch contains."""
    with named("the rankings shown"):
        return list(buyer_rankings(client, shown.batch, accounts)) if shown.batch else []


def keep_for_tomorrow(client: Client, day: date, block: int, reactions: bytes) -> None:
    """Keep what a block's day left to arrive on the next one."""
    entry = {"_id": _name(day, block), "reactions": reactions}
    with named("what is left for tomorrow"):
        client[SIMULATOR][LEFT].replace_one({"_id": entry["_id"]}, entry, upsert=True)


def left_by(client: Client, day: date, block: int) -> bytes | None:
    """Return the reactions a block's day left for the next one; None where a day of base rankings stored none."""
    with named("what was left for today"):
        entry = client[SIMULATOR][LEFT].find_one({"_id": _name(day, block)})
        batch = _shown(client, day).batch
    if entry:
        return bytes(entry["reactions"])
    if batch:
        raise BatchGoneError(
            f"what {day} left for the day after it is not there: it was begun with the rankings of the batch {batch} "
            "and not lived to its end. Live that day first."
        )
    return None


def _name(day: date, block: int) -> str:
    return f"{day}/{block}"
