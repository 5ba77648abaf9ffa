"""Measure drift, data quality and live performance each market day, explain what is wrong, and act on it.

Runs when a day's features are published. It measures the day's inputs, scores and data, and estimates the performance
of its rankings; of the day before it measures live performance, and whether a fresh model would do better. Then it
decides a verdict by the policy (settings.monitoring), names root causes, opens or closes incidents and, if allowed,
starts a retraining or falls back. Wrong data never trains a model. Last, it notifies on-call of new alerts and of the
actions taken. `rankloop alerts list` shows open alerts; `rankloop monitoring pause --reason …` stops automatic actions.
Owner: data platform.
If this fails: drift of that day stays unnoticed; rankings and trainings continue. A day without a measure is not bad.
`tell` runs in any case; if it fails, on-call did not get the open alerts.
Safe to clear: every task, alone or with what follows; an action is not repeated. See docs/runbook.md#drift_checks.
"""

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from measuring import measured
from orchestration import (
    DAY_PARAM,
    DEFAULT_ARGS,
    FEATURES,
    apprise_sender,
    market_day,
    trigger_scoring,
    trigger_training,
)
from rankloop.context import open_context


@task
def judge(dag_run=None, params=None) -> dict:
    """Judge the last days by the policy."""
    from rankloop.monitoring.policy.judge import judge_market_day

    with open_context() as context:
        return judge_market_day(context, market_day(dag_run, params)).summary()


@task(pool="mongo")
def explain(dag_run=None, params=None) -> str:
    """Open, update or close an incident for each root cause; return the pages of those that are new to on-call."""
    from rankloop.monitoring.act.incidents import update_incidents

    with open_context() as context:
        return update_incidents(context, market_day(dag_run, params))


@task.branch(pool="mongo")
def act(dag_run=None, params=None) -> list:
    """Choose what to do: nothing, a retraining, or the fallback to other rankings."""
    from rankloop.monitoring.act.actions import choose_action

    follows = {"retrain": ["why_retrain"], "fall back": ["fall_back"], "nothing": []}
    with open_context() as context:
        return follows[choose_action(context, market_day(dag_run, params))]


@task
def why_retrain(dag_run=None, params=None) -> dict:
    """Return as of which day to train, why, and since when something is wrong, for the report and the ML lead."""
    from rankloop.monitoring.act.actions import retraining_request

    with open_context() as context:
        return retraining_request(context, market_day(dag_run, params))


@task(pool="mongo")
def fall_back(dag_run=None, params=None) -> str:
    """Hold the champion back, and publish the newest other rankings at once."""
    from rankloop.monitoring.act.actions import apply_fallback

    with open_context() as context:
        return apply_fallback(context, market_day(dag_run, params))


@task(pool="mongo", trigger_rule=TriggerRule.ALL_DONE)
def tell() -> list:
    """Send on-call every open alert that is new, even if tasks before failed; skip if no channel is set."""
    from rankloop.monitoring.act.incidents import notify_on_call

    with open_context() as context:
        if not (connection := context.settings.monitoring.apprise):
            raise AirflowSkipException("monitoring.apprise names no connection; see `rankloop alerts list`")
        return notify_on_call(context, apprise_sender(connection))


@task
def newest_day(shown: str) -> str:
    """Return the day to rank again without the champion; skip if no day is built."""
    from rankloop.scoring.inputs import newest_feature_day

    with open_context() as context:
        day = newest_feature_day(context.lake)
    if not day:
        raise AirflowSkipException(f"no day is built that could be ranked again; live is {shown or 'nothing'}")
    return str(day)


@dag(
    schedule=PartitionedAssetTimetable(assets=FEATURES),
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["monitoring"],
    catchup=False,
    # Verdicts follow one another: what was done for a day is known on the next.
    max_active_runs=1,
    # While paused it hears of no day: what was missed is asked for by hand, with the parameter `day`.
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=12),
    params=DAY_PARAM,
)
def drift_checks() -> None:
    """Wire the tasks; each reads what it needs from the lake and from MongoDB."""
    retrain, back = why_retrain(), fall_back()
    measured() >> judge() >> explain() >> act() >> [retrain, back]
    retrain >> trigger_training()
    # Not after `act` itself, which skips what follows it and was not chosen; nor after `retrain`, by which a run fails.
    back >> tell()
    newest_day(back) >> trigger_scoring()


drift_checks()
