"""Alerts: what on-call is told, in the collection `rankloop.alerts` and in the log."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rankloop.marketplace.connection import OUTPUT, Client, connect
from rankloop.settings import load_settings

log = logging.getLogger(__name__)


def raise_alert(client: Client, kind: str, subject: str, message: str, now: datetime) -> None:
    """Tell on-call once: the same kind about the same subject stays one alert, with the newest message."""
    log.error("%s: %s", subject, message)
    client[OUTPUT]["alerts"].update_one(
        {"_id": f"{kind}:{subject}"},
        {
            "$set": {"kind": kind, "subject": subject, "message": message, "last_seen": now},
            "$setOnInsert": {"first_seen": now, "state": "open"},
        },
        upsert=True,
    )


def day_is_late(context: Mapping[str, Any] | None = None, hours: float = 0) -> None:
    """Airflow's callback for a missed deadline. Runs in a worker, as a task does."""
    run = (context or {}).get("dag_run") or {}
    dag_id, day = run.get("dag_id", "a DAG"), run.get("partition_key") or run.get("run_id", "of an unknown day")
    message = (
        f"the market day is not there {hours:g} h after its run was queued. Yesterday's rankings stay live. "
        f"Look at the run's tasks in Airflow; docs/runbook.md#{dag_id} says what each failure means."
    )
    client = connect(load_settings().mongo)
    try:
        raise_alert(client, "late_day", f"{dag_id} {day}", message, datetime.now(UTC))
    finally:
        client.close()
