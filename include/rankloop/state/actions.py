"""What monitoring said and did: verdicts, actions, versions that are held back, and the switch for all of it.

`rankloop.verdicts` has a document a day, replaced when the day is judged again; `rankloop.actions` one for each thing
that was done, under a name that follows from the day, so that it is done once; `rankloop.monitoring` the switch and the
versions that do not rank though one of them is the champion. Nothing is ever deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from rankloop.mongo import OUTPUT, Client

VERDICTS, ACTIONS, DESK, SWITCH = "verdicts", "actions", "monitoring", "switch"
RETRAIN: Final = "retrain"
FALL_BACK: Final = "fall back"
RELEASE: Final = "release"
Kind = Literal["retrain", "fall back", "release"]


@dataclass(frozen=True)
class Action:
    """Something that was done because of a day."""

    kind: Kind
    day: date
    version: int | None
    """The champion at the time."""
    reason: str

    @property
    def name(self) -> str:
        """The same each time that it is about to be done."""
        return f"{self.kind}:{self.day}" + (f":{self.version}" if self.kind == RELEASE else "")


@dataclass(frozen=True)
class Switched:
    """Who switched acting off, when and why."""

    who: str
    why: str
    at: datetime


# Verdicts


def keep_verdict(client: Client, day: date, verdict: Mapping[str, Any]) -> None:
    """Make this the verdict of the day."""
    client[OUTPUT][VERDICTS].replace_one({"_id": day.isoformat()}, {"_id": day.isoformat(), **verdict}, upsert=True)


def verdict_of(client: Client, day: date) -> dict[str, Any] | None:
    """The verdict of a day."""
    return client[OUTPUT][VERDICTS].find_one({"_id": day.isoformat()}, {"_id": 0})


def verdicts(client: Client, newest: int) -> list[dict[str, Any]]:
    """So many verdicts, those of the newest days first."""
    return list(client[OUTPUT][VERDICTS].find({}, {"_id": 0}).sort("_id", -1).limit(newest))


# Actions


def record(client: Client, action: Action, now: datetime) -> bool:
    """Note that it is done from now on; false if it was before."""
    entry = {"kind": action.kind, "day": action.day.isoformat(), "version": action.version, "reason": action.reason}
    found = client[OUTPUT][ACTIONS].update_one(
        {"_id": action.name}, {"$setOnInsert": {**entry, "at": now}}, upsert=True
    )
    return found.upserted_id is not None


def before(client: Client, day: date) -> list[Action]:
    """What was done because of earlier days, oldest first."""
    earlier = client[OUTPUT][ACTIONS].find({"day": {"$lt": day.isoformat()}})
    return [_action(found) for found in earlier.sort([("day", 1), ("at", 1)])]


def done_for(client: Client, day: date) -> list[Action]:
    """What was done because of this day."""
    return [_action(found) for found in client[OUTPUT][ACTIONS].find({"day": day.isoformat()}).sort("_id", 1)]


def _action(found: Mapping[str, Any]) -> Action:
    return Action(found["kind"], date.fromisoformat(found["day"]), found["version"], found["reason"])


# The switch


def pause(client: Client, who: str, why: str, now: datetime) -> None:
    """Have nothing done from now on, until `resume`."""
    entry = {"_id": SWITCH, "paused": True, "who": who, "why": why, "at": now}
    client[OUTPUT][DESK].replace_one({"_id": SWITCH}, entry, upsert=True)


def resume(client: Client) -> bool:
    """Have things done again; whether they were not."""
    switched = client[OUTPUT][DESK].update_one({"_id": SWITCH, "paused": True}, {"$set": {"paused": False}})
    return switched.modified_count > 0


def paused(client: Client) -> Switched | None:
    """Who switched acting off, or None while it is on."""
    found = client[OUTPUT][DESK].find_one({"_id": SWITCH, "paused": True})
    return Switched(found["who"], found["why"], found["at"]) if found else None


# Versions held back


def hold(client: Client, version: int, why: str, now: datetime) -> None:
    """Have this version rank no more, champion or not; held back already, it stays so for the first reason."""
    if version not in held(client):
        entry = {"_id": f"held:{version}", "version": version, "held": True, "why": why, "since": now}
        client[OUTPUT][DESK].replace_one({"_id": entry["_id"]}, entry, upsert=True)


def release(client: Client, version: int) -> bool:
    """Let this version rank again; whether it did not."""
    wanted = {"_id": f"held:{version}", "held": True}
    return client[OUTPUT][DESK].update_one(wanted, {"$set": {"held": False}}).modified_count > 0


def held(client: Client) -> dict[int, str]:
    """By version that is held back, why."""
    found = client[OUTPUT][DESK].find({"held": True}).sort("version", 1)
    return {entry["version"]: entry["why"] for entry in found}
