"""Make a former champion the champion again, at once and without an approval.

For on-call: start it with a reason, and with a version if it is not the previous champion. A former champion was
approved once; any other version is refused. Its last rankings are published again at once, or made again if they are
gone. A dry run says what would happen. The ML lead gets an alert, and the ledger records it. On the command line:
`rankloop model rollback --reason …`.
Owner: data platform.
If this fails: the champion stays, and the task's log says why.
Safe to clear: every task; a rollback is not done twice. See docs/runbook.md#model_rollback.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from orchestration import DEFAULT_ARGS, trigger_scoring
from rankloop.context import open_context


@task
def roll_back(params=None, dag_run=None) -> str:
    """Roll back to the previous champion, or to the version that was given."""
    from rankloop.promotion.rollback import RollbackRequest, roll_back

    who = dag_run.triggering_user_name or "the scheduler"
    request = RollbackRequest(who, params["reason"], f"model_rollback/{dag_run.run_id}", params["version"])
    with open_context() as context:
        return roll_back(context, request, dry_run=params["dry_run"]).sentence


@task
def show_again(params=None) -> str:
    """Publish the last batch of the current champion."""
    from rankloop.scoring.publishing import republish_champion_batch

    if params["dry_run"]:
        raise AirflowSkipException("a dry run changes nothing that buyers see")
    with open_context() as context:
        return republish_champion_batch(context.state, context.registry, context.clock())


@task
def newest_day(shown: str) -> str:
    """Return the day to rank again; skip if the champion's last batch is live."""
    from rankloop.scoring.inputs import newest_feature_day

    if shown:
        raise AirflowSkipException(f"{shown} is live")
    with open_context() as context:
        return str(newest_feature_day(context.lake))


@dag(
    schedule=None,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["promotion"],
    dagrun_timeout=timedelta(hours=1),
    max_active_runs=1,
    params={
        "reason": Param(type="string", minLength=3, description="why, for the ledger and the ML lead"),
        "version": Param(None, type=["null", "integer"], description="by default the champion before this one"),
        "dry_run": Param(False, type="boolean", description="say what would happen, and change nothing"),
    },
)
def model_rollback() -> None:
    """Wire the tasks: write down the decision and follow it, then change what buyers see."""
    shown = show_again()
    roll_back() >> shown
    newest_day(shown) >> trigger_scoring()


model_rollback()
