"""Reads the ML lead's approval from Airflow's API.

The API is asked, and not the XCom of the approval task: an XCom can be edited, and a task can be marked as successful
without any answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from rankloop.errors import RankloopError, TransientError

APPROVE, REJECT = "Approve", "Reject"
TIMEOUT_S = 15.0
CREATED, NOT_ALLOWED, NOT_FOUND, SERVER_ERROR = 201, {401, 403}, 404, 500


class AirflowUnavailableError(TransientError):
    """Airflow's API does not answer."""


class AirflowAccessError(RankloopError):
    """Airflow's API rejects our user, or does not have what we ask for."""


@dataclass(frozen=True)
class AirflowCredentials:
    """The address of Airflow's API, and a user who may read required actions."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class ApprovalTask:
    """The task instance that waits for an approval."""

    dag: str
    run: str
    task: str

    def __str__(self) -> str:
        return f"{self.dag}/{self.run}/{self.task}"


@dataclass(frozen=True)
class Approval:
    """A request for approval, and the answer to it."""

    subject: str
    body: str
    choice: str
    """Empty while nobody has answered and the task still waits."""
    who: str
    """Empty if nobody answered in time."""
    reason: str
    at: str

    @property
    def timed_out(self) -> bool:
        """Return whether the task timed out before anybody answered."""
        return bool(self.choice) and not self.who


def read_approval(airflow: AirflowCredentials, task: ApprovalTask) -> Approval:
    """Return what Airflow has for this task now."""
    path = f"dags/{quote(task.dag)}/dagRuns/{quote(task.run)}/taskInstances/{quote(task.task)}/-1/hitlDetails"
    details = _request(airflow, "GET", f"/api/v2/{path}", headers={"Authorization": f"Bearer {_token(airflow)}"})
    user = details["responded_by_user"] or {}
    return Approval(
        subject=details["subject"],
        body=details["body"] or "",
        choice=next(iter(details["chosen_options"] or ()), ""),
        who=str(user.get("id", "")),
        reason=str((details["params_input"] or {}).get("reason") or "").strip(),
        at=_instant(details["responded_at"]),
    )


def _token(airflow: AirflowCredentials) -> str:
    body = {"username": airflow.user, "password": airflow.password}
    return str(_request(airflow, "POST", "/auth/token", json=body)["access_token"])


def _request(airflow: AirflowCredentials, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401  (JSON in, JSON out)
    try:
        response = requests.request(method, f"{airflow.url}{path}", timeout=TIMEOUT_S, **more)
    except requests.RequestException as error:
        raise AirflowUnavailableError(f"Airflow at {airflow.url} does not answer: {type(error).__name__}.") from None
    if response.status_code >= SERVER_ERROR:
        raise AirflowUnavailableError(
            f"Airflow at {airflow.url} cannot answer {path} now (HTTP {response.status_code})."
        )
    if response.status_code in NOT_ALLOWED:
        raise AirflowAccessError(
            f"Airflow at {airflow.url} does not let '{airflow.user}' in, or read {path} (HTTP {response.status_code}): "
            "check the connection rankloop_airflow; its user has to be able to read required actions."
        )
    if response.status_code == NOT_FOUND:
        raise AirflowAccessError(
            f"Airflow at {airflow.url} has no {path}: no approval was requested there. Clear the task that requests it."
        )
    if response.status_code > CREATED:
        raise AirflowAccessError(f"Airflow at {airflow.url} refused {path} (HTTP {response.status_code}).")
    return response.json()


def _instant(text: str | None) -> str:
    return datetime.fromisoformat(text).isoformat(timespec="milliseconds") if text else ""
