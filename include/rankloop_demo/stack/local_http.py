"""Asks the stack's own servers on 127.0.0.1, past any proxy of the environment."""

from dataclasses import dataclass
from typing import Any

import requests

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    body: Any
    """The JSON it sent, or None if it sent none."""


def get(port: int, path: str) -> Answer | None:
    """Send a GET and return the answer, or None if nobody speaks HTTP there."""
    return ask("GET", port, path)


def post(port: int, path: str, body: dict[str, str]) -> Answer | None:
    """Send a POST of this JSON and return the answer, or None if nobody speaks HTTP there."""
    return ask("POST", port, path, body)


def ask(  # noqa: PLR0913, PLR0917  (the parts of a request)
    method: str,
    port: int,
    path: str,
    body: Any = None,  # noqa: ANN401  (JSON)
    token: str = "",
    patience_s: float = PATIENCE_S,
) -> Answer | None:
    """Send a request and return the answer, or None if nobody speaks HTTP there."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(
                method, f"http://127.0.0.1:{port}{path}", json=body, headers=headers, timeout=patience_s
            )
        except requests.RequestException:
            return None
    try:
        return Answer(answer.status_code, answer.json())
    except requests.JSONDecodeError:
        return Answer(answer.status_code, None)
