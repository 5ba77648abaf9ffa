"""Alerts: what on-call is told, in the collection `rankloop.alerts` and in the log."""

import logging
from datetime import datetime

from rankloop.marketplace.connection import OUTPUT, Client

log = logging.getLogger(__name__)


def raise_alert(client: Client, kind: str, subject: str, message: str, now: datetime) -> None:
    """Tell on-call once: the same kind about the same subject stays one alert, with the newest message."""
    log.error("%s: %s", subject, message)
    client[OUTPUT]["alerts"].update_one(
        {"_id": f"{kind}:{subject}"},
        {
            "$set": {"kind": kind, "subject": subject, "message": message, "last_seen": now, "state": "open"},
            "$setOnInsert": {"first_seen": now},
        },
        upsert=True,
    )


def close_alert(client: Client, kind: str, subject: str, now: datetime) -> None:
    """What the alert was about is over; nothing happens where there is none that is open."""
    client[OUTPUT]["alerts"].update_one(
        {"_id": f"{kind}:{subject}", "state": "open"}, {"$set": {"state": "closed", "closed_at": now}}
    )
