"""Alerts to on-call, in the collection `rankloop.alerts` and in the log.

An alert is open from when it is raised until what it is about is over, or somebody closes it. Meanwhile it is one
alert, however often it is raised, and who acknowledged it stays noted. Raised after that it begins again.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rankloop.errors import RankloopError
from rankloop.mongo import STATE_DB, Client

log = logging.getLogger(__name__)
ALERTS = "alerts"


class NoSuchAlertError(RankloopError):
    """An alert that does not exist or is not open."""


@dataclass(frozen=True)
class Alert:
    """A message to on-call about one subject."""

    name: str
    kind: str
    subject: str
    message: str
    state: str
    """`open` or `closed`."""
    first_seen: datetime
    last_seen: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further facts, from the code that raised it."""
    acknowledged: Mapping[str, Any] | None = None
    """Who acknowledged it, when, and their note."""
    done: tuple[str, ...] = ()
    closed_at: datetime | None = None
    told_at: datetime | None = None
    """When on-call was notified of it, if they were."""


def raise_alert(  # noqa: PLR0913  (what on-call is told, and whether it is worse than what they know)
    client: Client, kind: str, subject: str, message: str, now: datetime, *, worse: bool = False, **facts: object
) -> bool:
    """Raise an alert: the same kind about the same subject stays one alert, with the newest message.

    Return whether it is news: it was not open before, or it is worse now.
    """
    log.error("%s: %s", subject, message)
    alerts, name = client[STATE_DB][ALERTS], f"{kind}:{subject}"
    again = {"$set": {"first_seen": now}, "$unset": {"closed_at": "", "acknowledged": "", "done": "", "told_at": ""}}
    reopened = alerts.update_one({"_id": name, "state": "closed"}, again).modified_count
    entry = {"kind": kind, "subject": subject, "message": message, "last_seen": now, "state": "open"}
    change = {"$set": entry | ({"facts": facts} if facts else {}), "$setOnInsert": {"first_seen": now}}
    untold = {"$unset": {"told_at": ""}} if worse else {}
    raised = alerts.update_one({"_id": name}, change | untold, upsert=True)
    return bool(worse or reopened or raised.upserted_id is not None)


def close_alert(client: Client, kind: str, subject: str, now: datetime) -> None:
    """Close an alert whose cause is gone; nothing happens if none is open."""
    client[STATE_DB][ALERTS].update_one(
        {"_id": f"{kind}:{subject}", "state": "open"}, {"$set": {"state": "closed", "closed_at": now}}
    )


def add_action_note(client: Client, kind: str, subject: str, what: str) -> None:
    """Note an action on an open alert; the same is noted once."""
    client[STATE_DB][ALERTS].update_one({"_id": f"{kind}:{subject}", "state": "open"}, {"$addToSet": {"done": what}})


def mark_notified(client: Client, alert: Alert, now: datetime) -> None:
    """Mark on-call as notified of this alert, unless it was raised again meanwhile, which may be news."""
    client[STATE_DB][ALERTS].update_one({"_id": alert.name, "last_seen": alert.last_seen}, {"$set": {"told_at": now}})


def list_alerts(client: Client, *, closed: bool = False, kind: str = "") -> list[Alert]:
    """Return the open alerts, or all; newest first."""
    wanted = ({} if closed else {"state": "open"}) | ({"kind": kind} if kind else {})
    return [_alert(found) for found in client[STATE_DB][ALERTS].find(wanted).sort([("last_seen", -1), ("_id", 1)])]


def alert_by_name(client: Client, name: str) -> Alert:
    """Return the alert with this name."""
    if found := client[STATE_DB][ALERTS].find_one({"_id": name}):
        return _alert(found)
    there = ", ".join(f"'{alert.name}'" for alert in list_alerts(client)) or "none"
    raise NoSuchAlertError(f"there is no alert '{name}'; open are {there}. `rankloop alerts list --all` has all.")


def acknowledge_alert(client: Client, name: str, who: str, note: str, now: datetime) -> Alert:
    """Note that somebody takes care of an alert."""
    _of_open(client, name, {"acknowledged": {"who": who, "note": note, "at": now}})
    return alert_by_name(client, name)


def close_alert_manually(client: Client, name: str, who: str, note: str, now: datetime) -> Alert:
    """Close an alert by hand; it opens again if its cause is found again."""
    _of_open(client, name, {"state": "closed", "closed_at": now, "closed_by": {"who": who, "note": note}})
    return alert_by_name(client, name)


def _of_open(client: Client, name: str, entry: Mapping[str, Any]) -> None:
    if not client[STATE_DB][ALERTS].update_one({"_id": name, "state": "open"}, {"$set": entry}).matched_count:
        found = alert_by_name(client, name)
        raise NoSuchAlertError(f"the alert '{name}' is {found.state} since {found.closed_at}: there is nothing to do.")


def _alert(found: Mapping[str, Any]) -> Alert:
    return Alert(
        name=found["_id"],
        kind=found["kind"],
        subject=found["subject"],
        message=found["message"],
        state=found["state"],
        first_seen=found["first_seen"],
        last_seen=found["last_seen"],
        facts=found.get("facts", {}),
        acknowledged=found.get("acknowledged"),
        done=tuple(found.get("done", ())),
        closed_at=found.get("closed_at"),
        told_at=found.get("told_at"),
    )
