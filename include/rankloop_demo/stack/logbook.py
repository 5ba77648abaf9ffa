"""What a stack that ended left written: which process ended first, and what it said last."""

import json
import re
from collections import deque
from pathlib import Path

from rankloop_demo.stack.home import log_folder

TAIL_LINES = 15


def log_file(home: Path) -> Path:
    """Return the file that a detached stack prints to."""
    return log_folder(home) / "stack.log"


def log_size(home: Path) -> int:
    """Return how long the log is by now, in bytes."""
    path = log_file(home)
    return path.stat().st_size if path.exists() else 0


def note_first_to_end(home: Path, process: str, code: int) -> None:
    """Remember which process ended by itself; the supervisor writes this before it ends the rest."""
    _end_file(home).write_text(json.dumps({"process": process, "code": code}))


def forget_first_to_end(home: Path) -> None:
    """Begin a start of which nothing has ended yet."""
    _end_file(home).unlink(missing_ok=True)


def story_of_the_end(home: Path, log_start: int | None) -> str:
    """Describe which process ended first, with its last log lines since `log_start`; None if they were printed."""
    try:
        end = json.loads(_end_file(home).read_text())
    except (OSError, ValueError):
        return f"the stack was ended from outside. {_see(home, 'supervisor', log_start)}"
    return (
        f"{end['process']} ended by itself with code {end['code']}, so the rest was ended too. "
        f"{_see(home, end['process'], log_start)}"
    )


def _see(home: Path, process: str, log_start: int | None) -> str:
    if log_start is None:
        return "Its last lines are above."
    lines = "\n".join(f"  {line}" for line in _last_lines(home, process, log_start))
    return f"The last that {log_file(home)} has of it:\n{lines}"


def _last_lines(home: Path, process: str, log_start: int) -> deque[str]:
    """Return the last lines this process printed, without the supervisor's prefix of time and name."""
    of_process = re.compile(rf"\S+ {re.escape(process)} *\| (.*)")
    with log_file(home).open(encoding="utf-8", errors="replace") as log:
        log.seek(log_start)
        matches = (of_process.match(line) for line in log)
        return deque((match[1] for match in matches if match), maxlen=TAIL_LINES)


def _end_file(home: Path) -> Path:
    return log_folder(home) / "first_to_end.json"
