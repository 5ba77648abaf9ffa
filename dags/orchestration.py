"""What every DAG of Rankloop shares: who owns it, in which time zone its days are, which day a run is about."""

from datetime import date, timedelta
from typing import Any

from rankloop.calendar import parse_day
from rankloop.settings import load_settings

MARKET_TZ = load_settings().timezone

DEFAULT_ARGS = {"owner": "data platform", "retries": 2, "retry_delay": timedelta(minutes=1)}


def market_day(dag_run: Any, params: dict[str, Any]) -> date:  # noqa: ANN401  (the task SDK's DagRun has no public type)
    """The market day a run is about: its partition, else the day it was asked for when started by hand.

    Runs in the task worker. A run that is not of a partition has no day of its own, so it must say one.
    """
    if dag_run.partition_key:
        return parse_day(dag_run.partition_key)
    if key := (dag_run.conf or {}).get("day") or params.get("day"):
        return parse_day(key)
    raise ValueError(
        "this run is of no market day: start it with a partition key, or with the parameter `day` as YYYY-MM-DD"
    )
