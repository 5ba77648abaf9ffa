"""What a training depends on, for its record: code, environment and data."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Protocol

PACKAGE = Path(__file__).parents[1]
REPOSITORY = PACKAGE.parents[1]
PATIENCE_S = 30


@dataclass(frozen=True)
class Code:
    """Which code ran."""

    commit: str | None
    """None where neither git nor `RANKLOOP_GIT_COMMIT` says it."""
    changed: bool | None
    """Whether files differ from the commit's; None where git cannot be asked."""
    digest: str
    """Of the package's own files: says what ran even where there is no commit, or where files were changed."""


@dataclass(frozen=True)
class Environment:
    """What the code ran in."""

    python: str
    platform: str
    distributions: tuple[str, ...]
    """All that is installed, `name==version`, in order."""
    digest: str
    """Of Python and what is installed."""
    lock_digest: str | None
    """Of `requirements.txt`, where the repository is there."""


@dataclass(frozen=True)
class TableVersion:
    """Which rows of a table a training read."""

    table: str
    version: int
    digests: Mapping[str, str]
    """By day, what its rows amount to."""
    digest: str
    """Of all these days together."""


class VersionEntry(Protocol):
    """What is needed of a `rankloop.lake.commits.TableCommit`."""

    @property
    def number(self) -> int:
        """Of the commit."""
        ...

    @property
    def day(self) -> date | None:
        """The day that it replaced."""
        ...

    @property
    def digest(self) -> str | None:
        """Of that day's rows then."""
        ...


class Tables(Protocol):
    """What is needed of a `rankloop.lake.tables.Lake`."""

    def version(self, table: str) -> int:
        """Return the newest version of a table."""
        ...

    def versions(self, table: str) -> Iterable[VersionEntry]:
        """Its commits, newest first."""
        ...

    def digest(self, table: str, day: date, version: int | None = None) -> str:
        """Compute the digest of a day's rows from its files."""
        ...


def code(commit: str | None = None, package: Path = PACKAGE) -> Code:
    """Which code this is; a commit that is given, as `settings.git_commit` is, goes before git's."""
    tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py") is not None
    changed = _git(package, "status", "--porcelain", "--", ".") if tracked else None
    return Code(
        commit=commit or (_git(package, "rev-parse", "HEAD") if tracked else None),
        changed=None if changed is None else bool(changed),
        digest=_digest_of_code(package),
    )


def environment(repository: Path = REPOSITORY) -> Environment:
    """Return the Python, the platform and the installed packages of this process, with their digest."""
    installed = {f"{_plain(entry.name)}=={entry.version}" for entry in distributions() if entry.name}
    names = tuple(sorted(installed))
    python = platform.python_version()
    lock = repository / "requirements.txt"
    return Environment(
        python=python,
        platform=f"{sys.platform} {platform.machine()}",
        distributions=names,
        digest=sha256("\n".join([f"python=={python}", *names]).encode()).hexdigest(),
        lock_digest=sha256(lock.read_bytes()).hexdigest() if lock.exists() else None,
    )


def table_version(lake: Tables, table: str, days: Iterable[date], version: int | None = None) -> TableVersion:
    """Which rows these days of a table have, now or in an earlier version."""
    number = lake.version(table) if version is None else version
    logged: dict[date, str] = {}
    for entry in lake.versions(table):
        if entry.number <= number and entry.day and entry.digest:
            logged.setdefault(entry.day, entry.digest)
    # The log has the digest of whatever our own code wrote; what another tool wrote has to be read.
    digests = {day.isoformat(): logged.get(day) or lake.digest(table, day, number) for day in sorted(set(days))}
    together = sha256("\n".join(f"{day} {digest}" for day, digest in digests.items()).encode()).hexdigest()
    return TableVersion(table, number, digests, together[:16])


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where there is no git, it fails or it takes too long."""
    if not (git := shutil.which("git")):
        return None
    try:
        result = subprocess.run(  # noqa: S603  (git, by its full path)
            [git, "-C", str(folder), *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _digest_of_code(package: Path) -> str:
    digest = sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        digest.update(f"{path.relative_to(package).as_posix()}\n{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
