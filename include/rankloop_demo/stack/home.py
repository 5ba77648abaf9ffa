"""The one folder that holds all state of an embedded stack."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rankloop.errors import RankloopError

MARK = "this-is-a-rankloop-home"
LOCK = "starting.lock"
# A folder that holds anything else before our first start is somebody's own, and is never removed whole.
OURS = {MARK, "airflow", "demo", "keys.json", "lake", "logs", "mlflow", "mongo", "passwords.json", "truth", LOCK}


class HomeError(RankloopError):
    """The home folder cannot be used, or is not ours to remove."""


def log_folder(home: Path) -> Path:
    """Return the folder of the servers' logs."""
    return home / "logs"


def prepare(home: Path) -> None:
    """Make the home and the folders of its servers, for their owner alone."""
    try:
        ours = not home.exists() or {entry.name for entry in home.iterdir()} <= OURS
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in ("airflow", "logs", "mlflow", "mongo"):
            (home / folder).mkdir(mode=0o700, exist_ok=True)
        (home / LOCK).touch()
        if ours:
            (home / MARK).write_text("`rankloop stack clean` removes this folder and everything in it.\n")
    except OSError as error:
        raise HomeError(
            f"the home folder {home} cannot be written: {error.filename or home}: {error.strerror or error}. "
            "Set RANKLOOP_HOME to a folder that can, on a disk with a few GB free."
        ) from None


def refuse_foreign(home: Path) -> None:
    """Say that this folder is not ours to remove, if a stack did not make it."""
    if not (home / MARK).is_file():
        raise HomeError(
            f"{home} stays: it has no file {MARK}, so it holds, or held, more than what Rankloop put there. "
            "Look into it, and remove it by hand."
        )


def remove(home: Path) -> None:
    """Remove the home and everything in it, but only one that a stack made."""
    refuse_foreign(home)
    try:
        shutil.rmtree(home)
    except OSError as error:
        raise HomeError(f"{home} could not be removed completely: {error}. Fix that and clean again.") from None


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Hold the home while looking and launching, so that two starts at once make one stack."""
    with (home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_private(path: Path, content: dict[str, str]) -> None:
    """Write a JSON file that only its owner can read at any moment, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_private(path: Path) -> dict[str, str]:
    """Return what `write_private` wrote, or an empty dict if it never did."""
    try:
        content: Any = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HomeError(f"{path} cannot be read: {error}. Restore it, or remove it to have a new one made.") from None
    if not isinstance(content, dict):
        raise HomeError(f"{path} holds no names and values. Restore it, or remove it to have a new one made.")
    return {str(name): str(value) for name, value in content.items()}
