"""What the `rankloop stack` commands print."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from rankloop.settings import Settings
from rankloop_demo.stack.health import Server
from rankloop_demo.stack.lifecycle import StackFacts, StackStatus
from rankloop_demo.stack.logbook import log_file


@contextmanager
def progress(console: Console) -> Iterator[Callable[[Sequence[Server]], None]]:
    """Yield a callback that keeps one line a server up to date; outside a terminal it prints the healthy ones once."""
    if not console.is_terminal:
        yield one_line_each(console)
        return
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        spinner = Spinner("dots")
        yield lambda servers: live.update(_table(servers, waiting=spinner))


def one_line_each(console: Console) -> Callable[[Sequence[Server]], None]:
    """Return a callback that prints each server once, as it becomes healthy: for a log, or among one."""
    announced: set[str] = set()

    def announce(servers: Sequence[Server]) -> None:
        for server in servers:
            if server.healthy and server.name not in announced:
                announced.add(server.name)
                console.print(f"{server.name} is healthy")

    return announce


def show_facts(console: Console, settings: Settings, facts: StackFacts) -> None:
    """Say what runs where, and who may sign in."""
    if facts.already_up:
        console.print("The stack is already up.")
    else:
        console.print(f"The stack is up after {facts.seconds:.0f} s.")
    console.print(_table(facts.servers))
    if facts.new_passwords:
        console.print("Passwords, shown this once:")
        for person, password in facts.new_passwords.items():
            console.print(f"  {person:<10} {password}", highlight=False, markup=False)
    console.print(f"Passwords are in {facts.passwords_file}", soft_wrap=True)
    console.print(f"State is in      {settings.home}", soft_wrap=True)


def show_status(console: Console, settings: Settings, status: StackStatus) -> None:
    """Say what runs, or that nothing does."""
    if status.servers:
        console.print(_table(status.servers))
        console.print(f"State is in {settings.home}; the log is {log_file(settings.home)}", soft_wrap=True)
    elif status.leftovers:
        number = "1 process is" if status.leftovers == 1 else f"{status.leftovers} processes are"
        console.print(f"{number} left of a stack that was killed. `make stop` ends them.", soft_wrap=True)
    else:
        console.print(f"Nothing runs. State is in {settings.home}; start with `make start`.", soft_wrap=True)


def _table(servers: Sequence[Server], waiting: Spinner | str = "not healthy") -> Table:
    table = Table.grid(padding=(0, 2))
    for server in servers:
        table.add_row(server.name, "[green]healthy[/green]" if server.healthy else waiting, server.address)
    return table
