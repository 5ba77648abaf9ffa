"""The people who may sign in to the embedded Airflow, and how they do."""

import secrets
from pathlib import Path

from rankloop.errors import RankloopError
from rankloop.settings import Settings
from rankloop_demo.stack import local_http
from rankloop_demo.stack.home import read_private, write_private

# Each is one of Airflow's simple roles: `op` may also clear and change, `user` may also run and approve.
PEOPLE = {"admin": "admin", "ml-lead": "user", "oncall": "op", "viewer": "viewer"}

CREATED = 201


class SignInError(RankloopError):
    """Airflow does not let this person in."""


def passwords_file(home: Path) -> Path:
    """Return the file that Airflow reads the passwords from: a JSON object, name to password."""
    return home / "passwords.json"


def make_missing_passwords(home: Path) -> dict[str, str]:
    """Make a password for each person who has none, and return the new ones by person."""
    path = passwords_file(home)
    kept = read_private(path)
    made = {person: secrets.token_urlsafe(12) for person in PEOPLE if person not in kept}
    if made:
        write_private(path, kept | made)
    return made


def api_token(settings: Settings, person: str) -> str:
    """Return a bearer token of this person for Airflow's API; the stack must be up."""
    password = read_private(passwords_file(settings.home)).get(person)
    if password is None:
        raise SignInError(f"nobody is called '{person}'; there are {', '.join(PEOPLE)}. Is the stack started?")
    return sign_in(settings, person, password)


def sign_in(settings: Settings, person: str, password: str) -> str:
    """Return a bearer token for this name and password."""
    body = {"username": person, "password": password}
    answer = local_http.post(settings.ports.airflow, "/auth/token", body)
    if answer is None:
        raise SignInError(f"Airflow does not answer on port {settings.ports.airflow}. Start it with `make start`.")
    if answer.status != CREATED:
        raise SignInError(
            f"Airflow did not let {person} in (HTTP {answer.status}). "
            f"The passwords are in {passwords_file(settings.home)}."
        )
    return str(answer.body["access_token"])
