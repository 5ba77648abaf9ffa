"""Find and end the processes of one stack, no matter who started them and whether their parents live.

Every process of a stack carries its home in a variable of its environment, which children inherit. So the tasks that a
worker forked, and what a killed supervisor left behind, are found without any file of process ids.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# Not RANKLOOP_…, which is for settings: a variable that names no setting is refused.
HOME_MARK = "_RANKLOOP_STACK"
NAME_MARK = "_RANKLOOP_STACK_PROCESS"
SUPERVISOR = "supervisor"

# The others connect to it until their last moment: a task that is ended reports so to the API server.
LAST_TO_END = {"airflow-api-server", "mlflow", "mongo"}
# A task in the middle of its work does not end when asked; the scheduler runs it again after the next start.
TASKS_PATIENCE_S = 5.0
# The embedded MongoDB may need 8 s to write down what it holds.
SERVERS_PATIENCE_S = 15.0
GLANCE_S = 0.1


@dataclass(frozen=True)
class StackProcess:
    """One running process of a stack."""

    handle: psutil.Process
    """Refuses to signal a later process that got the same id."""
    name: str
    """Which process of the Procfile it is, or descends from."""
    started: float
    """When, in seconds since 1970."""
    environment: dict[str, str]

    @property
    def pid(self) -> int:
        """Return the process id."""
        return int(self.handle.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send it this signal, unless it has ended meanwhile."""
        with suppress(psutil.NoSuchProcess):
            self.handle.send_signal(number)


def processes_of(home: Path) -> list[StackProcess]:
    """Return every running process of this home's stack but the caller's own, oldest first."""
    running = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(HOME_MARK) == str(home) and process.pid != os.getpid():
                name = environment.get(NAME_MARK, "")
                running.append(StackProcess(process, name, process.create_time(), environment))
        except psutil.Error:  # it ended meanwhile, or is another user's
            continue
    return sorted(running, key=lambda process: (process.started, process.pid))


def supervisor_of(home: Path) -> StackProcess | None:
    """Return the supervisor process of this home's stack, or None if it does not run."""
    return next((process for process in processes_of(home) if process.name == SUPERVISOR), None)


def end_stack(home: Path) -> None:
    """End every process of this home's stack but the caller's own: tasks and who runs them first, then the servers."""
    _end(lambda: [process for process in processes_of(home) if process.name not in LAST_TO_END], TASKS_PATIENCE_S)
    _end(lambda: processes_of(home), SERVERS_PATIENCE_S)


def _end(find: Callable[[], Iterable[StackProcess]], patience_s: float) -> None:
    """End whatever `find` finds, until it finds nothing: asked politely first, killed when patience is over."""
    deadline = time.monotonic() + patience_s
    asked: set[int] = set()
    while left := list(find()):
        for process in left:
            if time.monotonic() > deadline:
                process.signal(signal.SIGKILL)
            elif process.pid not in asked:
                asked.add(process.pid)
                process.signal(signal.SIGTERM)
        time.sleep(GLANCE_S)
