"""The callback that Airflow calls when a market day is not there by the agreed hour.

Airflow imports this module whenever it reads the DAG's file, to see that the callback exists: so the heavy imports
stand in the function.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rankloop.settings import load_settings


def day_is_late(context: Mapping[str, Any] | None = None, hours: float = 0) -> None:
    """Raise an alert about the run. Airflow calls it in a worker, as it does a task."""
    from rankloop.mongo import connect  # noqa: PLC0415
    from rankloop.state.alerts import raise_alert  # noqa: PLC0415  (see the module)

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
