"""The answer to a request, as Airflow itself has it.

Read from Airflow's API and not from what a task handed on: that can be edited, and a gate can be marked a success with
no answer at all.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from rankloop.errors import RankloopError, TransientError

APPROVE, REJECT = "Approve", "Reject"
PATIENCE_S = 15.0
CREATED, NOT_ALLOWED, NOT_FOUND, SERVER_ERROR = 201, {401, 403}, 404, 500


class AirflowDownError(TransientError):
    """Airflow's API does not answer."""


class AirflowRefusedError(RankloopError):
    """Airflow's API does not let us in, or does not have what we look for."""


@dataclass(frozen=True)
class Door:
    """Airflow's API, and as whom to come in; a user who may only read is enough."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class Asked:
    """Which task of which run asked."""

    dag: str
    run: str
    task: str

    def __str__(self) -> str:
        return f"{self.dag}/{self.run}/{self.task}"


@dataclass(frozen=True)
class Answer:
    """What was asked, and what came of it."""

    subject: str
    body: str
    choice: str
    """Empty while nobody answered and the time is not over."""
    who: str
    """Empty where nobody did: the time was over."""
    reason: str
    at: str

    @property
    def timed_out(self) -> bool:
        """Whether the time was over before anybody answered."""
        return bool(self.choice) and not self.who


def read_answer(door: Door, asked: Asked) -> Answer:
    """What Airflow has for this task now."""
    path = f"dags/{quote(asked.dag)}/dagRuns/{quote(asked.run)}/taskInstances/{quote(asked.task)}/-1/hitlDetails"
    found = _ask(door, "GET", f"/api/v2/{path}", headers={"Authorization": f"Bearer {_token(door)}"})
    who = found["responded_by_user"] or {}
    return Answer(
        subject=found["subject"],
        body=found["body"] or "",
        choice=next(iter(found["chosen_options"] or ()), ""),
        who=str(who.get("id", "")),
        reason=str((found["params_input"] or {}).get("reason") or "").strip(),
        at=_instant(found["responded_at"]),
    )


def _token(door: Door) -> str:
    body = {"username": door.user, "password": door.password}
    return str(_ask(door, "POST", "/auth/token", json=body)["access_token"])


def _ask(door: Door, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401  (JSON in, JSON out)
    try:
        answer = requests.request(method, f"{door.url}{path}", timeout=PATIENCE_S, **more)
    except requests.RequestException as error:
        raise AirflowDownError(f"Airflow at {door.url} does not answer: {type(error).__name__}.") from None
    if answer.status_code >= SERVER_ERROR:
        raise AirflowDownError(f"Airflow at {door.url} cannot answer {path} now (HTTP {answer.status_code}).")
    if answer.status_code in NOT_ALLOWED:
        raise AirflowRefusedError(
            f"Airflow at {door.url} does not let '{door.user}' in, or read {path} (HTTP {answer.status_code}): "
            "check the connection rankloop_airflow; its user has to be able to read required actions."
        )
    if answer.status_code == NOT_FOUND:
        raise AirflowRefusedError(
            f"Airflow at {door.url} has no {path}: nothing was asked there. Clear the task that asks."
        )
    if answer.status_code > CREATED:
        raise AirflowRefusedError(f"Airflow at {door.url} refused {path} (HTTP {answer.status_code}).")
    return answer.json()


def _instant(text: str | None) -> str:
    return datetime.fromisoformat(text).isoformat(timespec="milliseconds") if text else ""
