"""What the demo prints: a line when a step begins, one that is rewritten while it runs, and its result."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from rich.status import Status


class Screen:
    """A console with one line that is rewritten; where nothing moves, as in a log, that line is left out."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = monotonic()
        self._status: Status | None = None

    @contextmanager
    def step(self, heading: str, expected_s: int) -> Iterator[None]:
        """Show that a step runs, and how long it is expected to take on two quiet cores."""
        self.console.print(f"[bold]{heading}[/bold]  [dim]about {in_minutes(expected_s)}[/dim]", highlight=False)
        if not self.console.is_terminal:
            yield
            return
        with self.console.status("") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def doing(self, text: str) -> None:
        """Rewrite the line that says what is being done."""
        if self._status:
            self._status.update(f"[dim]{text}[/dim]")

    def say(self, text: RenderableType, style: str | None = None) -> None:
        """Print a line, or a table, that stays."""
        self.console.print(text, style=style, highlight=False, soft_wrap=isinstance(text, str))

    @property
    def seconds(self) -> float:
        """Return how long the demo has run."""
        return monotonic() - self.began


def in_minutes(seconds: float) -> str:
    """Return a duration as people say it: `45 s`, `2 min 10 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
