"""The approval task: the form, the notification of approvers, and access to the answer."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseNotifier, Connection, Param

from rankloop.context import open_context
from rankloop.settings import load_settings

ASK = "ask_ml_lead"
PROMOTION = load_settings().promotion


REASON = Param(None, type=["null", "string"], minLength=3, description="why, for the ledger")


class AskToApprove(HITLOperator):
    """Requests an approval with a form that requires a reason.

    Unlike Airflow's ApprovalOperator it skips nothing on Reject: the task after it records the rejection as well.
    """

    @property
    def serialized_params(self) -> dict[str, dict[str, Any]]:
        """Return the form's fields with a required reason; REASON allows none, being validated before the answer."""
        fields = deepcopy(super().serialized_params)  # they share the schema by which the answer is checked
        fields["reason"]["schema"]["type"] = "string"
        return fields


class NotifyApprovers(BaseNotifier):
    """An alert in the collection `rankloop.alerts` and in the log."""

    def notify(self, context) -> None:
        """Raise the alert that an approval is wanted, with the link to answer."""
        from rankloop.promotion.requesting import notify_approvers

        task = context["task"]
        link = HITLOperator.generate_link_to_ui_from_context(context=context)
        with open_context() as opened:
            notify_approvers(opened, version_of(context["params"]), task.subject, link)


def notifiers() -> Sequence[BaseNotifier]:
    """Return the notifiers of a request: our own alerts, and the channel of Apprise if one is configured."""
    if not PROMOTION.apprise:
        return [NotifyApprovers()]
    from airflow.providers.apprise.notifications.apprise import AppriseNotifier

    body = "Answer under Required Actions: {{ conf.get('api', 'base_url') }}/required_actions"
    return [
        NotifyApprovers(),
        AppriseNotifier(title="{{ task.subject }}", body=body, apprise_conn_id=PROMOTION.apprise),
    ]


def version_of(params: dict[str, Any]) -> int:
    """Return the version that a run is about, which the conf of another DAG has as text."""
    return int(params["version"])


def approval_of(dag_run) -> tuple:
    """Return the answer to this run's request, as Airflow has it, and the task that asked. Runs in the task worker."""
    from rankloop.promotion.approval_task import AirflowCredentials, ApprovalTask, read_approval

    connection = Connection.get("rankloop_airflow")
    url = f"{connection.schema or 'http'}://{connection.host}:{connection.port}"
    airflow = AirflowCredentials(url, connection.login or "", connection.password or "")
    approval_task = ApprovalTask(dag_run.dag_id, dag_run.run_id, ASK)
    return read_approval(airflow, approval_task), approval_task
