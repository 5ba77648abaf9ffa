"""What every DAG of Rankloop shares: its owner, the time zone of its days, and which day a run is about."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowNotFoundException

from rankloop.calendar import days_between, parse_day
from rankloop.errors import RankloopError, TransientError
from rankloop.settings import Settings, load_settings

MARKET_TZ = load_settings().timezone

# What time mends is tried again, with growing delay; what would only fail again stops at once.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(TransientError, RetryAction.RETRY, reason="a server was down or busy"),
        RetryRule(RankloopError, RetryAction.FAIL, reason="trying again would say the same; see the message"),
    ]
)
DEFAULT_ARGS = {
    "owner": "data platform",
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": RETRY_POLICY,
}

SENSOR_ARGS = {
    "pool": "mongo",
    "mode": "reschedule",
    "poke_interval": 5,
    "exponential_backoff": True,
    "max_wait": 60,
    "timeout": 6 * 3600,
}
"""How a task waits for what may take hours."""
DAY_PARAM = {
    "day": Param(None, type=["null", "string"], format="date", description="the market day, if started by hand")
}

EVENTS = Asset(name="events", uri="rankloop://events", group="lake")
RANKINGS = Asset(name="rankings", uri="rankloop://rankings", group="mongo")
FEATURES = Asset(name="features", uri="rankloop://features", group="lake")


def trigger_scoring() -> TriggerDagRunOperator:
    """Starts batch_scoring for the day that the task `newest_day` named."""
    return TriggerDagRunOperator(
        task_id="trigger_scoring",
        trigger_dag_id="batch_scoring",
        trigger_run_id="{{ dag.dag_id }}_{{ run_id }}",
        conf={"day": "{{ ti.xcom_pull('newest_day') }}"},
        skip_when_already_exists=True,
    )


def trigger_training() -> TriggerDagRunOperator:
    """Starts continuous_training as of the day and for the reason that the task `why_retrain` named; once for a day."""
    return TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id="continuous_training",
        trigger_run_id="drift__{{ ti.xcom_pull('why_retrain')['day'] }}",
        conf={
            "day": "{{ ti.xcom_pull('why_retrain')['day'] }}",
            "reason": "{{ ti.xcom_pull('why_retrain')['reason'] }}",
            "since": "{{ ti.xcom_pull('why_retrain')['since'] }}",
            "drift": True,
        },
        skip_when_already_exists=True,
    )


def market_day(dag_run: Any, params: dict[str, Any]) -> date:  # noqa: ANN401  (the task SDK's DagRun has no public type)
    """The market day a run is about: its partition, else the day it was asked for when started by hand.

    Runs in the task worker. A run that is not of a partition has no day of its own, so it must say one.
    """
    if dag_run.partition_key:
        return parse_day(dag_run.partition_key)
    if key := (dag_run.conf or {}).get("day") or params.get("day"):
        return parse_day(key)
    raise RankloopError(
        "this run is of no market day: start it with a partition key, or with the parameter `day` as YYYY-MM-DD"
    )


def as_of_day(dag_run: Any, params: dict[str, Any]) -> date:  # noqa: ANN401  (likewise)
    """The market day as of which a training is: the last of its week, else the one it was asked for.

    Runs in the task worker. A week's key names its Monday, as in `2026-11-09 (W46)`.
    """
    if not (key := dag_run.partition_key):
        return market_day(dag_run, params)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \(W\d\d\)", key) or (monday := parse_day(key[:10])).weekday():
        raise RankloopError(
            f"the partition {key} is no week: those are called as in `2026-11-09 (W46)`, by their Monday. To train as "
            "of one day, start the DAG with the parameter `day` and no partition key."
        )
    return monday + timedelta(days=6)


def days_of_backfill(params: dict[str, Any], part: int, parts: int) -> list[date]:
    """Return one of so many consecutive parts of the days that a backfill was asked for. Runs in the task worker."""
    first, last = parse_day(params["first"]), parse_day(params["last"])
    if last < first:
        raise RankloopError(f"a backfill from {first} to {last} has no day: give `first` a day up to `last`")
    days = list(days_between(first, last))
    return days[part * len(days) // parts : (part + 1) * len(days) // parts]


def training_request(dag_run: Any, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  (likewise)
    """Why and how a training was asked for, in the words of `rankloop.training.learning.plan`. Runs in the worker."""
    if dag_run.partition_key:
        return {"reason": f"the week {dag_run.partition_key} is complete"}
    asked = {**params, **(dag_run.conf or {})}
    since = parse_day(asked["since"]) if asked.get("since") else None
    return {"reason": asked["reason"], "drift": asked["drift"], "since": since, "trials": asked.get("trials")}


def describe_assets(outlet_events: Any, settings: Settings, day: date) -> None:  # noqa: ANN401  (no public type either)
    """Say what the day holds on the Assets page. Runs in the task worker."""
    from rankloop.events.tasks import published_events
    from rankloop.features.published import published_features
    from rankloop.lake.tables import Lake

    outlet_events[EVENTS].extra = published_events(settings, day)
    outlet_events[FEATURES].extra = published_features(Lake(settings.lake_root), settings.features, day)


def apprise_sender(connection: str) -> Callable[[str, str], bool]:
    """What sends a title and a text by this Airflow connection, and says whether every service of it took them.

    Runs in the task worker. The hook's own `notify` does not say so.
    """
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from apprise import Apprise

    hook, services = AppriseHook(apprise_conn_id=connection), Apprise()
    try:
        hook.set_config_from_conn(hook.get_connection(connection), services)
    except (AirflowNotFoundException, LookupError, TypeError, ValueError) as error:
        raise RankloopError(
            f"on-call cannot be told by the Airflow connection {connection}: {error!r}. Make it of type apprise, with "
            'a config such as {"path": "mailto://…"}, and clear `tell`; until then see `rankloop alerts list`.'
        ) from error
    return lambda title, text: bool(services.notify(title=title, body=text))
