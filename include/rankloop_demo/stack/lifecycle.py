"""Start, watch and end the embedded stack, from the process of the caller: the command line, the demo, a test."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rankloop.errors import RankloopError
from rankloop.settings import PREFIX, Settings, variable
from rankloop.settings.ports import Ports
from rankloop_demo.stack.environment import as_variables
from rankloop_demo.stack.health import Server, all_healthy, check_servers
from rankloop_demo.stack.home import one_at_a_time, prepare, refuse_foreign, remove
from rankloop_demo.stack.launch import Launch, open_log, ready_to_launch
from rankloop_demo.stack.logbook import log_file, log_size, story_of_the_end
from rankloop_demo.stack.people import passwords_file
from rankloop_demo.stack.processes import (
    GLANCE_S,
    SERVERS_PATIENCE_S,
    TASKS_PATIENCE_S,
    StackProcess,
    end_stack,
    processes_of,
    supervisor_of,
)

HEALTHY_WITHIN_S = 300.0
"""A server that ends is noticed at once; one that starts slowly, on a machine with much else to do, is not ill."""
LOOK_EVERY_S = 0.25

Announce = Callable[[Sequence[Server]], None]


class StackError(RankloopError):
    """The stack did not come up, or did not stay up."""


@dataclass(frozen=True)
class StackFacts:
    """A stack that is up."""

    servers: tuple[Server, ...]
    passwords_file: Path
    already_up: bool
    seconds: float
    """How long it took."""
    new_passwords: dict[str, str] = field(default_factory=dict, repr=False)
    """Person to password, for those made by this very start: show them now, they are not shown again."""


@dataclass(frozen=True)
class StackStatus:
    """What runs of a stack just now."""

    servers: tuple[Server, ...]
    """Empty if no supervisor runs."""
    supervisor: int | None
    """Its process id."""
    leftovers: int
    """How many processes run without a supervisor."""


def start(settings: Settings, announce: Announce = lambda _: None) -> StackFacts:
    """Start the stack in the background and wait until it is healthy; `announce` gets the servers' state meanwhile."""
    began = time.monotonic()
    prepare(settings.home)
    with one_at_a_time(settings.home):
        launch = None if _usable_supervisor(settings) else ready_to_launch(settings)
        if launch:
            with open_log(settings.home) as log:
                log_start = log_size(settings.home)
                launch.detached(log)
    with _ended_if_it_fails(settings, launch):
        servers = _wait_until_healthy(settings, announce, lambda: supervisor_of(settings.home) is not None)
    if servers is None:
        stop(settings)
        raise StackError(story_of_the_end(settings.home, log_start if launch else 0))
    return _facts(settings, servers, launch, began)


def run(settings: Settings, announce: Announce, on_up: Callable[[StackFacts], None]) -> None:
    """Run the stack, printing here, until somebody asks it to end; raises if it ends by itself."""
    began = time.monotonic()
    prepare(settings.home)
    with _signals_passed_on() as relay:
        with one_at_a_time(settings.home):
            launch = None if _usable_supervisor(settings) else ready_to_launch(settings)
            process = launch.attached() if launch else None
            relay.attach(process)
        if process:
            with _ended_if_it_fails(settings, launch):
                servers = _wait_until_healthy(settings, announce, lambda: process.poll() is None)
            if servers:
                on_up(_facts(settings, servers, launch, began))
            code = process.wait()
            # A supervisor that was killed could not end the rest.
            end_stack(settings.home)
            if code != 0 and not relay.requested:
                raise StackError(story_of_the_end(settings.home, None))
    if process is None:
        on_up(start(settings, announce))


def stop(settings: Settings) -> bool:
    """Stop the stack and return whether anything of it ran."""
    home = settings.home
    if not processes_of(home):
        return False
    if supervisor := supervisor_of(home):
        supervisor.signal(signal.SIGTERM)
        # It kills by itself what does not end in time.
        deadline = time.monotonic() + TASKS_PATIENCE_S + SERVERS_PATIENCE_S + 5
        while processes_of(home) and time.monotonic() < deadline:
            time.sleep(GLANCE_S)
    end_stack(home)
    return True


def status(settings: Settings) -> StackStatus:
    """Return what runs of this home's stack, and the health of its servers."""
    if supervisor := supervisor_of(settings.home):
        return StackStatus(check_servers(_as_it_runs(settings, supervisor), supervisor.started), supervisor.pid, 0)
    return StackStatus((), None, len(processes_of(settings.home)))


def is_up(settings: Settings) -> bool:
    """Return whether every server of this home's stack is healthy."""
    servers = status(settings).servers
    return bool(servers) and all_healthy(servers)


def clean(settings: Settings) -> bool:
    """Stop the stack and remove its home; return whether there was anything to remove."""
    if not settings.home.exists():
        return stop(settings)
    refuse_foreign(settings.home)
    stop(settings)
    remove(settings.home)
    return True


def _usable_supervisor(settings: Settings) -> StackProcess | None:
    """Return the supervisor that already runs, if any; refuse one that was started with other settings than these."""
    supervisor = supervisor_of(settings.home)
    if supervisor is None:
        return None
    runs_with = {name: value for name, value in supervisor.environment.items() if name.startswith(PREFIX)}
    wanted = as_variables(settings)
    # Names alone: a value may be an address with a password in it.
    if other := sorted(name for name in {*runs_with, *wanted} if runs_with.get(name) != wanted.get(name)):
        raise StackError(
            f"the stack of {settings.home} runs already, with another {', '.join(other)}. "
            "Stop it first (`make stop`), or set RANKLOOP_HOME to another folder for a second one."
        )
    return supervisor


def _as_it_runs(settings: Settings, supervisor: StackProcess) -> Settings:
    """Return the settings with the ports of the running stack, which may differ from ours."""
    ports = {name: int(supervisor.environment[variable(f"ports.{name}")]) for name in type(settings.ports).model_fields}
    return settings.model_copy(update={"ports": Ports(**ports)})


def _wait_until_healthy(settings: Settings, announce: Announce, alive: Callable[[], bool]) -> tuple[Server, ...] | None:
    """Return the servers once all are healthy, or None if the stack ended before."""
    deadline = time.monotonic() + HEALTHY_WITHIN_S
    while alive():
        supervisor = supervisor_of(settings.home)
        servers = check_servers(settings, supervisor.started if supervisor else time.time())
        announce(servers)
        if all_healthy(servers):
            return servers
        if time.monotonic() > deadline:
            ill = ", ".join(server.name for server in servers if not server.healthy)
            raise StackError(
                f"not healthy within {HEALTHY_WITHIN_S:g} s: {ill}. Look into {log_file(settings.home)}; "
                "if the machine was merely busy, start again."
            )
        time.sleep(LOOK_EVERY_S)
    return None


@contextmanager
def _ended_if_it_fails(settings: Settings, launch: Launch | None) -> Iterator[None]:
    """End what we launched if we give up waiting, by whatever error or interruption."""
    try:
        yield
    except BaseException:
        if launch:
            stop(settings)
        raise


class _SignalRelay:
    """Passes a request to end this process on to the stack: it ends first, then we do."""

    def __init__(self) -> None:
        self.requested = False
        self._process: subprocess.Popen[bytes] | None = None

    def attach(self, process: subprocess.Popen[bytes] | None) -> None:
        """Pass signals on to this process; at once if one arrived before the process was started."""
        self._process = process
        if self.requested:
            self._pass_on()

    def receive(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.requested = True
        self._pass_on()

    def _pass_on(self) -> None:
        if self._process:
            self._process.terminate()


@contextmanager
def _signals_passed_on() -> Iterator[_SignalRelay]:
    relay = _SignalRelay()
    before = {number: signal.signal(number, relay.receive) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield relay
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _facts(settings: Settings, servers: tuple[Server, ...], launch: Launch | None, began: float) -> StackFacts:
    return StackFacts(
        servers=servers,
        passwords_file=passwords_file(settings.home),
        already_up=launch is None,
        seconds=time.monotonic() - began,
        new_passwords=launch.new_passwords if launch else {},
    )
