"""Folders for what does not fit into memory: removed by their maker, or, if that was killed, by the next one."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAKING, READY = "rankloop-making-", "rankloop-spill-"
LOCK = "lock"


@contextmanager
def spill_folder(parent: Path | None) -> Iterator[Path]:
    """Create a spill folder that is removed when the context ends; abandoned ones beside it are removed first."""
    root = parent or Path(tempfile.gettempdir())
    root.mkdir(parents=True, exist_ok=True)
    for abandoned in root.glob(f"{READY}*"):
        _remove_if_abandoned(abandoned)
    made = Path(tempfile.mkdtemp(prefix=MAKING, dir=root))
    with (made / LOCK).open("w") as lock:
        # Locked before it has the name that others look for, so nobody finds it without its lock.
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = made.rename(root / made.name.replace(MAKING, READY))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    """Remove a spill folder whose lock is free: the system releases a lock when its process ends, however it ends."""
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # in use, somebody else's, or gone already
