"""The approval task: the form, the notification of approvers, and access to the answer."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseNotifier, Connection, Param

from rankloop.settings import load_settings

ASK = "ask_ml_lead"
PROMOTION = load_settings().promotion


REASON = Param(None, type=["null", "string"], minLength=3, description="why, for the ledger")


class AskToApprove(HITLOperator):
    """Asks with a form that insists on a reason.

    Unlike Airflow's own ApprovalOperator it skips nothing on Reject: what follows writes that down as well.
    """

    @property
    def serialized_params(self) -> dict[str, dict[str, Any]]:
        """The form's fields. The check before anybody is asked must live without a reason, so REASON does."""
        fields = deepcopy(super().serialized_params)  # they share the schema by which the answer is checked
        fields["reason"]["schema"]["type"] = "string"
        return fields


class TellApprovers(BaseNotifier):
    """An alert in the collection `rankloop.alerts` and in the log."""

    def notify(self, context) -> None:
        """Say what is asked, and where to answer."""
        from rankloop.promotion.asking import tell

        task = context["task"]
        link = HITLOperator.generate_link_to_ui_from_context(context=context)
        tell(load_settings(), version_of(context["params"]), task.subject, link, datetime.now(UTC))


def notifiers() -> Sequence[BaseNotifier]:
    """Who is told of a request: always our own alerts, and whatever channel Apprise is set up for."""
    if not PROMOTION.apprise:
        return [TellApprovers()]
    from airflow.providers.apprise.notifications.apprise import AppriseNotifier

    body = "Answer under Required Actions: {{ conf.get('api', 'base_url') }}/required_actions"
    return [
        TellApprovers(),
        AppriseNotifier(title="{{ task.subject }}", body=body, apprise_conn_id=PROMOTION.apprise),
    ]


def version_of(params: dict[str, Any]) -> int:
    """The version that a run is about. Another DAG's conf has it as text."""
    return int(params["version"])


def answer_to(dag_run) -> tuple:
    """The answer to this run's request, as Airflow has it, and which task asked. Runs in the task worker."""
    from rankloop.promotion.answer import Asked, Door, read_answer

    here = Connection.get("rankloop_airflow")
    door = Door(f"{here.schema or 'http'}://{here.host}:{here.port}", here.login or "", here.password or "")
    asked = Asked(dag_run.dag_id, dag_run.run_id, ASK)
    return read_answer(door, asked), asked
