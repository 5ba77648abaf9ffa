"""Launches the supervisor of a stack, after checking all that would make its servers fail."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rankloop.mongo import connect
from rankloop.settings import Settings
from rankloop_demo.stack.environment import stack_environment
from rankloop_demo.stack.keys import keys_of
from rankloop_demo.stack.logbook import forget_first_to_end, log_file, log_size
from rankloop_demo.stack.people import make_missing_passwords
from rankloop_demo.stack.ports import refuse_taken_ports
from rankloop_demo.stack.processes import end_stack
from rankloop_demo.stack.tools import commands, refuse_missing_tools

LOG_LIMIT_BYTES = 20_000_000


@dataclass(frozen=True)
class Launch:
    """How to start a supervisor."""

    names: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    new_passwords: dict[str, str] = field(repr=False)

    def attached(self) -> subprocess.Popen[bytes]:
        """Start a supervisor that prints where we print, in a group of its own: Ctrl-C reaches it through us alone."""
        return subprocess.Popen(  # noqa: S603  (our own module)
            self._command(), env=self.environment, stdin=subprocess.DEVNULL, process_group=0
        )

    def detached(self, output: IO[bytes]) -> None:
        """Start a supervisor that belongs to nobody and prints into this file."""
        subprocess.run(  # noqa: S603  (our own module)
            self._command("--detached"),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )

    def _command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "rankloop_demo.stack.supervisor", *options, *self.names]


def ready_to_launch(settings: Settings) -> Launch:
    """End what a killed stack left, check tools, ports and MongoDB, and make keys and passwords if there are none."""
    end_stack(settings.home)
    refuse_missing_tools()
    names = list(commands())
    ports = ["airflow", "mlflow", "mongo", "serving"]
    if settings.mongo_uri:
        names.remove("mongo")
        ports.remove("mongo")
    refuse_taken_ports(settings.ports, ports)
    if settings.mongo_uri:
        connect(settings.mongo).close()
    forget_first_to_end(settings.home)
    # Before the environment: one of them is in it.
    new_passwords = make_missing_passwords(settings.home)
    return Launch(tuple(names), stack_environment(settings, keys_of(settings.home)), new_passwords)


def open_log(home: Path) -> IO[bytes]:
    """Open the log for appending; one that has grown too long is put aside first."""
    path = log_file(home)
    if log_size(home) > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
