"""What crosses from the edge inwards: the connections of one task, command or app, each opened once.

A DAG's task, a command and the serving app open a `Context`; so does nobody else. Entry functions of the packages above
the registry take it and hand on what is used: a lake, a client, an engine, a section of the settings.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property

from rankloop.engine.opening import open_engine
from rankloop.engine.protocol import Engine
from rankloop.lake.tables import Lake
from rankloop.mongo import Client, connect
from rankloop.registry.connection import Registry
from rankloop.settings import Settings, load_settings

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Context:
    """The settings and clock of one task, command or app, and its connections, each opened when first asked for."""

    def __init__(self, settings: Settings, clock: Clock, closing: ExitStack) -> None:
        self.settings = settings
        self.clock = clock
        self._closing = closing

    @cached_property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.settings.lake_root)

    @cached_property
    def state(self) -> Client:
        """A client of the MongoDB that holds the shop and what Rankloop keeps."""
        return self._closing.enter_context(connect(self.settings.mongo))

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs Ibis expressions: DuckDB, or a Spark cluster."""
        return self._closing.enter_context(open_engine(self.settings.features))

    @cached_property
    def registry(self) -> Registry:
        """The MLflow in use."""
        return Registry(self.settings.mlflow)


@contextmanager
def open_context(settings: Settings | None = None, clock: Clock = utc_now) -> Iterator[Context]:
    """Open a context for as long as a task or command runs, by default with the settings of this process."""
    with ExitStack() as closing:
        yield Context(settings or load_settings(), clock, closing)
