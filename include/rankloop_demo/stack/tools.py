"""Finds what the stack runs: the repository, its Procfile, and the servers' executables."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

from honcho.environ import parse_procfile

from rankloop.errors import RankloopError

REPOSITORY = Path(__file__).parents[3]
# Not resolved: the interpreter of a virtual environment is a link to one that lacks its packages.
BIN = Path(sys.executable).parent


class MissingToolError(RankloopError):
    """Something that the stack runs is not installed."""


def commands() -> dict[str, str]:
    """Return the shell command of each process, in the order of the Procfile."""
    procfile = REPOSITORY / "Procfile"
    if not procfile.is_file():
        raise MissingToolError(
            f"there is no {procfile}: the embedded stack runs from a clone of the repository. Run `make demo` there."
        )
    return dict(parse_procfile(procfile.read_text()).processes)


def refuse_missing_tools() -> None:
    """Say all at once which executables beside this Python are missing."""
    if missing := [name for name in ("airflow", "mlflow") if not shutil.which(name, path=str(BIN))]:
        raise MissingToolError(
            f"{' and '.join(missing)} not found in {BIN}. Install with `make demo`, in a clean .venv."
        )


def mongo_server() -> Path:
    """Return the executable of the embedded MongoDB-compatible server, without importing its package."""
    try:
        files = metadata.files("secantusdb") or []
    except metadata.PackageNotFoundError:
        files = []
    paths = [Path(str(file.locate())) for file in files if file.as_posix().endswith("secantusdb.scripts/secantusd-rs")]
    if not paths or not paths[0].is_file():
        raise MissingToolError(
            "the embedded MongoDB server is not installed: secantusd-rs of the `demo` extra is missing. "
            "Run `make demo`, or set RANKLOOP_MONGO_URI to a MongoDB of yours."
        )
    return paths[0]
