"""What Airflow's API answers while its database is busy is no refusal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from rankloop_demo.stack import airflow_api
from rankloop_demo.stack.airflow_api import AirflowApi, AirflowRefusedError

BUSY = {"detail": {"reason": "Database error", "statement": "hidden"}}


@contextmanager
def airflow(*answers: tuple[int, object]) -> Iterator[AirflowApi]:
    """An Airflow that gives these answers, one after the other."""
    left = iter(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = next(left)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield AirflowApi(server.server_address[1], "token")
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "PAUSES_S", (0.0, 0.0))


def test_a_busy_database_is_asked_again() -> None:
    with airflow((500, BUSY), (500, BUSY), (200, {"dag_run_id": "one"})) as api:
        assert api.ask("POST", "/dags/daily_features/dagRuns") == {"dag_run_id": "one"}


def test_a_database_that_stays_busy_is_said() -> None:
    with airflow(*[(500, BUSY)] * 3) as api, pytest.raises(AirflowRefusedError, match=r"HTTP 500.*Database error"):
        api.ask("POST", "/dags/daily_features/dagRuns")


def test_any_other_failure_is_not_tried_again() -> None:
    with airflow((500, {"detail": "broken"})) as api, pytest.raises(AirflowRefusedError, match="broken"):
        api.ask("POST", "/dags/daily_features/dagRuns")
