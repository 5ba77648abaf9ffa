"""Ask the ML lead whether a challenger becomes the champion, and apply the decision.

One run for each version, started by continuous_training once a challenger is registered, or by hand with a version. The
people on the allow-list answer under Required Actions, with a reason; no answer in time counts as Reject. Promotion
fails closed: the answer is read from Airflow itself, and only an approval of this very model, against the champion that
it was compared with, promotes it. The ledger records every decision and refusal. A new champion ranks the newest day at
once.
Owner: data platform.
If this fails: the champion stays. Nothing is half promoted: clear the task, and it completes.
Safe to clear: every task. A decision about a version stands. See docs/runbook.md#model_promotion.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.hitl import HITLUser

from approval import ASK, PROMOTION, REASON, AskToApprove, approval_of, notifiers, version_of
from orchestration import DEFAULT_ARGS, trigger_scoring
from rankloop.context import open_context


@task
def write_request(params=None) -> dict:
    """Write the request with its evidence; fail if the version was decided already."""
    from rankloop.promotion.requesting import create_request

    with open_context() as context:
        request = create_request(context, version_of(params))
    return {"subject": request.subject, "body": request.body}


@task
def decide(params=None, dag_run=None) -> str:
    """Apply the answer, or refuse to and say why; the ledger records either."""
    from rankloop.promotion.decision import apply_decision

    approval, task = approval_of(dag_run)
    with open_context() as context:
        return apply_decision(context, version_of(params), approval, task).decision


@task
def newest_day(decision: str) -> str:
    """Return the day that the new champion ranks first; skip where there is no new champion."""
    from rankloop.scoring.inputs import newest_feature_day

    if decision != "promoted":
        raise AirflowSkipException(f"{decision}: the champion stays, and with it the rankings")
    with open_context() as context:
        return str(newest_feature_day(context.lake))


@dag(
    schedule=None,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["promotion"],
    dagrun_timeout=timedelta(days=PROMOTION.answer_within_days + 2),
    params={"version": Param(1, type=["integer", "string"], description="the challenger's version in MLflow")},
)
def model_promotion() -> None:
    """Wire the tasks; the answer goes no way but through Airflow itself."""
    ask = AskToApprove(
        task_id=ASK,
        subject="{{ ti.xcom_pull('write_request')['subject'] }}",
        body="{{ ti.xcom_pull('write_request')['body'] }}",
        options=["Approve", "Reject"],
        defaults="Reject",
        assigned_users=[HITLUser(id=person, name=person) for person in PROMOTION.approvers],
        response_timeout=timedelta(days=PROMOTION.answer_within_days),
        params={"reason": REASON},
        notifiers=notifiers(),
        doc_md="Answer under Required Actions. Marking this task a success is no answer, and promotes nothing.",
    )
    decided = decide()
    write_request() >> ask >> decided
    newest_day(decided) >> trigger_scoring()


model_promotion()
