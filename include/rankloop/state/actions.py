"""Verdicts, actions and held-back versions of monitoring, and the switch that pauses actions.

`rankloop.verdicts` has a document a day, replaced when the day is evaluated again; `rankloop.actions` one an action,
under an id that follows from the day, so that no action is taken twice; `rankloop.monitoring` has the switch and the
versions that do not rank although one of them is the champion. Nothing is ever deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from rankloop.mongo import STATE_DB, Client

VERDICTS, ACTIONS, MONITORING, SWITCH = "verdicts", "actions", "monitoring", "switch"
RETRAIN: Final = "retrain"
FALL_BACK: Final = "fall back"
RELEASE: Final = "release"
ActionKind = Literal["retrain", "fall back", "release"]


@dataclass(frozen=True)
class Action:
    """An action that monitoring took because of a day."""

    kind: ActionKind
    day: date
    version: int | None
    """The champion at the time."""
    reason: str

    @property
    def name(self) -> str:
        """Return the id of the action, which is the same for every attempt."""
        return f"{self.kind}:{self.day}" + (f":{self.version}" if self.kind == RELEASE else "")


@dataclass(frozen=True)
class PauseStatus:
    """Who paused the actions, when and why."""

    who: str
    why: str
    at: datetime


# Verdicts


def save_verdict(client: Client, day: date, verdict: Mapping[str, Any]) -> None:
    """Store the verdict of the day, in place of a former one."""
    client[STATE_DB][VERDICTS].replace_one({"_id": day.isoformat()}, {"_id": day.isoformat(), **verdict}, upsert=True)


def verdict_of_day(client: Client, day: date) -> dict[str, Any] | None:
    """Return the verdict of a day, if there is one."""
    return client[STATE_DB][VERDICTS].find_one({"_id": day.isoformat()}, {"_id": 0})


def recent_verdicts(client: Client, newest: int) -> list[dict[str, Any]]:
    """Return so many verdicts, newest days first."""
    return list(client[STATE_DB][VERDICTS].find({}, {"_id": 0}).sort("_id", -1).limit(newest))


# Actions


def record_action(client: Client, action: Action, now: datetime) -> bool:
    """Record an action, and return whether it is new."""
    entry = {"kind": action.kind, "day": action.day.isoformat(), "version": action.version, "reason": action.reason}
    found = client[STATE_DB][ACTIONS].update_one(
        {"_id": action.name}, {"$setOnInsert": {**entry, "at": now}}, upsert=True
    )
    return found.upserted_id is not None


def earlier_actions(client: Client, day: date) -> list[Action]:
    """Return the actions of earlier days, oldest first."""
    earlier = client[STATE_DB][ACTIONS].find({"day": {"$lt": day.isoformat()}})
    return [_action(found) for found in earlier.sort([("day", 1), ("at", 1)])]


def actions_of_day(client: Client, day: date) -> list[Action]:
    """Return the actions of this day."""
    return [_action(found) for found in client[STATE_DB][ACTIONS].find({"day": day.isoformat()}).sort("_id", 1)]


def _action(found: Mapping[str, Any]) -> Action:
    return Action(found["kind"], date.fromisoformat(found["day"]), found["version"], found["reason"])


# The switch


def pause_actions(client: Client, who: str, why: str, now: datetime) -> None:
    """Pause all actions until `resume_actions`."""
    entry = {"_id": SWITCH, "paused": True, "who": who, "why": why, "at": now}
    client[STATE_DB][MONITORING].replace_one({"_id": SWITCH}, entry, upsert=True)


def resume_actions(client: Client) -> bool:
    """Resume actions, and return whether they were paused."""
    switched = client[STATE_DB][MONITORING].update_one({"_id": SWITCH, "paused": True}, {"$set": {"paused": False}})
    return switched.modified_count > 0


def pause_status(client: Client) -> PauseStatus | None:
    """Return who paused the actions, or None if they are not paused."""
    found = client[STATE_DB][MONITORING].find_one({"_id": SWITCH, "paused": True})
    return PauseStatus(found["who"], found["why"], found["at"]) if found else None


# Versions held back


def hold_version(client: Client, version: int, why: str, now: datetime) -> None:
    """Hold a version back, champion or not, so that it does not rank; the first reason stays."""
    if version not in held_versions(client):
        entry = {"_id": f"held:{version}", "version": version, "held": True, "why": why, "since": now}
        client[STATE_DB][MONITORING].replace_one({"_id": entry["_id"]}, entry, upsert=True)


def release_version(client: Client, version: int) -> bool:
    """Release a held-back version, and return whether it was held back."""
    wanted = {"_id": f"held:{version}", "held": True}
    return client[STATE_DB][MONITORING].update_one(wanted, {"$set": {"held": False}}).modified_count > 0


def held_versions(client: Client) -> dict[int, str]:
    """Return the held-back versions, with the reason of each."""
    found = client[STATE_DB][MONITORING].find({"held": True}).sort("version", 1)
    return {entry["version"]: entry["why"] for entry in found}
