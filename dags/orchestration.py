"""What the DAGs of Rankloop share: default arguments, assets, the market day of a run, and triggers of other DAGs."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowNotFoundException

from rankloop.calendar import days_between, parse_day
from rankloop.errors import RankloopError, TransientError
from rankloop.settings import load_settings

if TYPE_CHECKING:
    from rankloop.context import Context

MARKET_TZ = load_settings().timezone

# Transient errors are retried, with growing delay; every other error of ours would only repeat itself.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(TransientError, RetryAction.RETRY, reason="a server was down or busy"),
        RetryRule(RankloopError, RetryAction.FAIL, reason="a retry would fail the same way; see the message"),
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
"""How a sensor waits for what may take hours, without holding a worker."""
DAY_PARAM = {
    "day": Param(None, type=["null", "string"], format="date", description="the market day, if started by hand")
}

EVENTS = Asset(name="events", uri="rankloop://events", group="lake")
RANKINGS = Asset(name="rankings", uri="rankloop://rankings", group="mongo")
FEATURES = Asset(name="features", uri="rankloop://features", group="lake")
DAY_ASSETS = [EVENTS, FEATURES]


def trigger_scoring() -> TriggerDagRunOperator:
    """Trigger batch_scoring for the day that the task `newest_day` returned."""
    return TriggerDagRunOperator(
        task_id="trigger_scoring",
        trigger_dag_id="batch_scoring",
        trigger_run_id="{{ dag.dag_id }}_{{ run_id }}",
        conf={"day": "{{ ti.xcom_pull('newest_day') }}"},
        skip_when_already_exists=True,
    )


def trigger_training() -> TriggerDagRunOperator:
    """Trigger continuous_training for the day and the reason that the task `why_retrain` returned, once a day."""
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
    """Return the market day of a run: its partition, else the parameter `day` of a run started by hand.

    Runs in the task worker. A run without a partition has no day of its own, so it must name one.
    """
    if dag_run.partition_key:
        return parse_day(dag_run.partition_key)
    if key := (dag_run.conf or {}).get("day") or params.get("day"):
        return parse_day(key)
    raise RankloopError(
        "this run has no market day: start it with a partition key, or with the parameter `day` as YYYY-MM-DD"
    )


def as_of_day(dag_run: Any, params: dict[str, Any]) -> date:  # noqa: ANN401  (likewise)
    """Return the as-of day of a training: the last day of its week, else the parameter `day`.

    Runs in the task worker. A week's key names its Monday, as in `2026-11-09 (W46)`.
    """
    if not (key := dag_run.partition_key):
        return market_day(dag_run, params)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \(W\d\d\)", key) or (monday := parse_day(key[:10])).weekday():
        raise RankloopError(
            f"the partition {key} is no week: name it by its Monday, as in `2026-11-09 (W46)`. To train as "
            "of one day, start the DAG with the parameter `day` and no partition key."
        )
    return monday + timedelta(days=6)


def days_of_backfill(params: dict[str, Any], part: int, parts: int) -> list[date]:
    """Return one of several consecutive parts of a backfill's days. Runs in the task worker."""
    first, last = parse_day(params["first"]), parse_day(params["last"])
    if last < first:
        raise RankloopError(f"a backfill from {first} to {last} has no day: give `first` a day up to `last`")
    days = list(days_between(first, last))
    return days[part * len(days) // parts : (part + 1) * len(days) // parts]


def training_request(dag_run: Any, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  (likewise)
    """Return why and how a training was requested, as arguments of its first step. Runs in the task worker."""
    if dag_run.partition_key:
        return {"reason": f"the week {dag_run.partition_key} is complete"}
    asked = {**params, **(dag_run.conf or {})}
    since = parse_day(asked["since"]) if asked.get("since") else None
    return {"reason": asked["reason"], "drift": asked["drift"], "since": since, "trials": asked.get("trials")}


def describe_assets(outlet_events: Any, context: "Context", day: date) -> None:  # noqa: ANN401  (no public type either)
    """Attach a summary of the day to the assets, for the Assets page. Runs in the task worker."""
    from rankloop.events.tasks import published_events
    from rankloop.features.published import published_features

    outlet_events[EVENTS].extra = published_events(context.lake, day)
    outlet_events[FEATURES].extra = published_features(context.lake, context.settings.features, day)


def apprise_sender(connection: str) -> Callable[[str, str], bool]:
    """Return a function that sends a title and a text by this Airflow connection; it returns whether all took them.

    Runs in the task worker. The hook's own `notify` does not say so.
    """
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from apprise import Apprise

    hook, services = AppriseHook(apprise_conn_id=connection), Apprise()
    try:
        hook.set_config_from_conn(hook.get_connection(connection), services)
    except (AirflowNotFoundException, LookupError, TypeError, ValueError) as error:
        raise RankloopError(
            f"on-call cannot be notified by the Airflow connection {connection}: {error!r}. Make it of type apprise, "
            'with a config such as {"path": "mailto://…"}, and clear `tell`; until then see `rankloop alerts list`.'
        ) from error
    return lambda title, text: bool(services.notify(title=title, body=text))
