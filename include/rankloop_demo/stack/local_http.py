"""Asks the stack's own servers on 127.0.0.1, past any proxy of the environment."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    body: Any
    """The JSON it sent, or None if it sent none."""


def get(port: int, path: str) -> Answer | None:
    """The answer to a GET, or None if nobody speaks HTTP there."""
    return ask("GET", port, path)


def post(port: int, path: str, body: dict[str, str]) -> Answer | None:
    """The answer to a POST of this JSON, or None if nobody speaks HTTP there."""
    return ask("POST", port, path, body)


def ask(  # noqa: PLR0913, PLR0917  (the parts of a request)
    method: str,
    port: int,
    path: str,
    body: Any = None,  # noqa: ANN401  (JSON)
    token: str = "",
    patience_s: float = PATIENCE_S,
) -> Answer | None:
    """The answer to any request, or None if nobody speaks HTTP there."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_s)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    try:
        return Answer(response.status, json.loads(content))
    except ValueError:
        return Answer(response.status, None)
