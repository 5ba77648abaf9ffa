"""The connections of one task, command or app, each opened once.

DAG tasks, commands and the serving app open a `Context`; nothing else does. Entry functions of the packages above the
registry take it and pass on what is used: a lake, a client, an engine, a section of the settings.

What a connection needs is imported when it is first used: MLflow alone takes seconds, and most tasks do without. So a
DAG file may import this module at its top.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from rankloop.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rankloop.engine.protocol import Engine
    from rankloop.lake.tables import Lake
    from rankloop.mongo import Client
    from rankloop.registry.connection import Registry

    Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Context:
    """The settings and clock of one task, command or app, and its connections, each opened when first used."""

    def __init__(self, settings: Settings, clock: Clock, closing: ExitStack) -> None:
        self.settings = settings
        self.clock = clock
        self._closing = closing

    @cached_property
    def lake(self) -> Lake:
        """The lake."""
        from rankloop.lake.tables import Lake

        return Lake(self.settings.lake_root)

    @cached_property
    def state(self) -> Client:
        """A client of the MongoDB that holds the shop's data and Rankloop's own state."""
        from rankloop.mongo import connect

        return self._closing.enter_context(connect(self.settings.mongo))

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs Ibis expressions: DuckDB, or a Spark cluster."""
        from rankloop.engine.opening import open_engine

        return self._closing.enter_context(open_engine(self.settings.features))

    @cached_property
    def registry(self) -> Registry:
        """The MLflow registry."""
        from rankloop.registry.connection import Registry

        return Registry(self.settings.mlflow)


@contextmanager
def open_context(settings: Settings | None = None, clock: Clock = utc_now) -> Iterator[Context]:
    """Open a context for as long as a task or command runs, by default with the settings of this process."""
    with ExitStack() as closing:
        yield Context(settings or load_settings(), clock, closing)
