"""Runs the processes of the Procfile it is told to, as `python -m rankloop_demo.stack.supervisor [--detached] NAME…`.

Its environment is already the stack's (see `environment`), and each process gets it whole. When one process ends, or
somebody asks, it ends the rest. Honcho reads the Procfile, starts and prints; the loop is our own, since honcho's forks
a watcher for each process that would outlive a killed supervisor, kills after 5 s when the database may need 8, and
trips over a signal that comes while it starts.
"""

import os
import signal
import sys
import threading
import time
from datetime import datetime
from importlib import metadata
from itertools import chain
from pathlib import Path
from types import FrameType

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Popen

from rankloop_demo.stack.logbook import note_first_to_end
from rankloop_demo.stack.processes import GLANCE_S, HOME_MARK, NAME_MARK, end_stack
from rankloop_demo.stack.tools import REPOSITORY, commands

PREPARATION = "airflow-prepare"
PREPARE = "airflow db migrate && exec airflow pools import dags/pools.json"


class Supervisor:
    """The processes of one stack, from the first that starts to the last that ends."""

    def __init__(self, home: Path, names: list[str]) -> None:
        self.home = home
        self.asked_to_end = False
        self._commands = {PREPARATION: PREPARE, **commands()}
        self._names = names
        self._running: dict[str, Popen] = {}
        self._colours = get_colours()
        self._printer = Printer(sys.stdout, width=max(map(len, self._commands)))
        self._one_line = threading.Lock()

    def run(self) -> int:
        """Keep all of them running until one ends by itself (1) or somebody asks (0); then none is left."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            self._start_first()
            while not self.asked_to_end:
                if ended := self._first_to_end():
                    note_first_to_end(self.home, *ended)
                    return 1
                time.sleep(GLANCE_S)
            return 0
        finally:
            self._say("supervisor", "ending every process")
            end_stack(self.home)
            self._say("supervisor", "every process has ended")

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.asked_to_end = True

    def _start_first(self) -> None:
        """Start all, or with a database to prepare what can start meanwhile."""
        if prepared(self.home):
            self._start(self._names)
        else:
            self._start([PREPARATION, *(name for name in self._names if not name.startswith("airflow-"))])

    def _first_to_end(self) -> tuple[str, int] | None:
        for name, process in list(self._running.items()):
            code = process.poll()
            if code == 0 and name == PREPARATION:
                del self._running[name]
                mark_prepared(self.home)
                self._start([name for name in self._names if name.startswith("airflow-")])
            elif code is not None:
                self._say(name, f"has ended with code {code}")
                return name, code
        return None

    def _start(self, names: list[str]) -> None:
        for name in names:
            process = Popen(self._commands[name], env=os.environ | {NAME_MARK: name}, cwd=REPOSITORY)
            self._running[name] = process
            threading.Thread(target=self._print_lines, args=(name, process), daemon=True).start()

    def _print_lines(self, name: str, process: Popen) -> None:
        colour = next(self._colours)
        for line in chain([f"started as process {process.pid}"], process.stdout):
            self._say(name, line, colour)

    def _say(self, name: str, line: str | bytes, colour: str | None = None) -> None:
        with self._one_line:
            try:
                self._printer.write(Message("line", line, datetime.now().astimezone(), name, colour))
            except OSError:  # the terminal is gone; the processes must still be ended
                self._printer.output = Path(os.devnull).open("w")  # noqa: SIM115  (open for as long as we run)


def prepared(home: Path) -> bool:
    """Return whether Airflow's database is of the installed version, with the pools that the DAGs name."""
    stamp = _stamp(home)
    return (home / "airflow" / "airflow.db").exists() and stamp.exists() and stamp.read_text() == _wanted()


def mark_prepared(home: Path) -> None:
    """Remember what the database was prepared for."""
    _stamp(home).write_text(_wanted())


def _stamp(home: Path) -> Path:
    return home / "airflow" / "prepared-for"


def _wanted() -> str:
    return metadata.version("apache-airflow-core") + "\n" + (REPOSITORY / "dags" / "pools.json").read_text()


def main(arguments: list[str]) -> int:
    """Supervise; detached, go on in a process that belongs to nobody, while the one that was started returns."""
    if arguments[0] == "--detached":
        arguments = arguments[1:]
        if os.fork():
            return 0
        os.setsid()
    return Supervisor(Path(os.environ[HOME_MARK]), arguments).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
