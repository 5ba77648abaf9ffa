"""The keys that the servers of one stack trust each other by, made once and kept."""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

from rankloop_demo.stack.home import read_private, write_private


@dataclass(frozen=True, repr=False)
class Keys:
    """What must never reach a command line, a log or a message; hence no `repr` either."""

    fernet: str
    """Encrypts Airflow's connections and variables at rest: lost with it, they cannot be read again."""
    jwt: str
    """Signs what people and task workers show to Airflow's API."""
    session: str
    """Signs the cookies of Airflow's pages."""


def keys_of(home: Path) -> Keys:
    """Return the keys of this home, and make those it lacks."""
    path = home / "keys.json"
    kept = read_private(path)
    made = {"fernet": _fernet_key(), "jwt": secrets.token_urlsafe(64), "session": secrets.token_urlsafe(32)}
    if made.keys() - kept.keys():
        kept = made | kept
        write_private(path, kept)
    return Keys(kept["fernet"], kept["jwt"], kept["session"])


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
