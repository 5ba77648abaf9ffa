"""Asks the stack's Airflow to do things, as one of its people."""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rankloop.errors import RankloopError
from rankloop.settings import Settings
from rankloop_demo.stack import local_http
from rankloop_demo.stack.people import api_token

KNOWN_WITHIN_S = 90.0
OK, FAILED = 200, 500
PATIENCE_S = 60.0
PAUSES_S = (1.0, 2.0, 4.0)


class AirflowRefusedError(RankloopError):
    """Airflow did not do what it was asked."""


@dataclass(frozen=True)
class AirflowApi:
    """Airflow's REST API, with a person's token."""

    port: int
    token: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401  (JSON in, JSON out)
        """Send a request and return the body of Airflow's answer, or raise; `path` begins behind `/api/v2`."""
        answer = self._answer(method, path, body)
        if answer is None:
            raise AirflowRefusedError(f"Airflow does not answer on port {self.port}. Start it with `make start`.")
        if answer.status >= OK + 100:
            raise AirflowRefusedError(f"Airflow refused {method} {path} (HTTP {answer.status}): {answer.body}")
        return answer.body

    def _answer(self, method: str, path: str, body: Any) -> local_http.Answer | None:  # noqa: ANN401  (JSON)
        for pause in PAUSES_S:
            answer = local_http.ask(method, self.port, f"/api/v2{path}", body, self.token, PATIENCE_S)
            # Airflow rolls back what it could not write while another of its processes did.
            if answer is None or answer.status != FAILED or "Database error" not in str(answer.body):
                return answer
            time.sleep(pause)
        return local_http.ask(method, self.port, f"/api/v2{path}", body, self.token, PATIENCE_S)

    def knows(self, dag_id: str) -> bool:
        """Return whether Airflow has read this DAG's file."""
        answer = local_http.ask("GET", self.port, f"/api/v2/dags/{quote(dag_id)}", token=self.token)
        return answer is not None and answer.status == OK


def signed_in(settings: Settings, person: str) -> AirflowApi:
    """Return the API, signed in as one of the embedded stack's four people."""
    return AirflowApi(settings.ports.airflow, api_token(settings, person))


def switch_on(settings: Settings, dag_id: str) -> bool:
    """Unpause a DAG, once Airflow has read its file; whether it was paused."""
    api = signed_in(settings, "admin")
    deadline = time.monotonic() + KNOWN_WITHIN_S
    while not api.knows(dag_id):
        if time.monotonic() > deadline:
            raise AirflowRefusedError(
                f"Airflow has not read the DAG {dag_id} within {KNOWN_WITHIN_S:g} s. "
                f"Look for import errors at http://127.0.0.1:{settings.ports.airflow}/dags."
            )
        time.sleep(0.5)
    paused = bool(api.ask("GET", f"/dags/{quote(dag_id)}")["is_paused"])
    api.ask("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": False})
    return paused
