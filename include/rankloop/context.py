"""The connections of one task, command or app, each opened once.

DAG tasks, commands and the serving app open a `Context`; nothing else does. Entry functions of the packages above the
registry take it and pass on what is used: a lake, a client, an engine, a section of the settings.

What a connection needs is imported when it is first used: MLflow alone takes seconds, and most tasks do without. So a
DAG file may import this module at its top.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from rankloop.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rankloop.engine.protocol import Engine
    from rankloop.events.ingestion import Ingestion
    from rankloop.features.joining.store import FeatureStore
    from rankloop.lake.tables import Lake
    from rankloop.mongo import Client
    from rankloop.registry.connection import Registry
    from rankloop.sources.protocol import Source

    Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Context:
    """The settings and clock of one task, command or app, and its connections, each opened when first used."""

    def __init__(self, settings: Settings, clock: Clock, stack: ExitStack) -> None:
        self.settings = settings
        self.clock = clock
        self._stack = stack

    @cached_property
    def lake(self) -> Lake:
        """The lake."""
        from rankloop.lake.tables import Lake

        return Lake(self.settings.lake_root)

    @cached_property
    def state(self) -> Client:
        """A client of the MongoDB that holds the shop's data and Rankloop's own state."""
        from rankloop.mongo import connect

        return self._stack.enter_context(connect(self.settings.mongo))

    @cached_property
    def source(self) -> Source:
        """The shop's data, read by the class that the settings name."""
        from rankloop.sources.opening import open_source
        from rankloop.sources.protocol import SourceConfig

        config = SourceConfig(self.settings.source_in_use, self.settings.zone, lambda: self.state)
        return self._stack.enter_context(closing(open_source(config)))

    @cached_property
    def ingestion(self) -> Ingestion:
        """What the steps of a day's events work with."""
        from rankloop.events.ingestion import Ingestion

        settings = self.settings
        rules, window_days = settings.cleaning, settings.features.window_days
        return Ingestion(self.source, self.lake, self.state, settings.zone, rules, window_days)

    @cached_property
    def feature_store(self) -> FeatureStore:
        """The features in the lake, for lists to be joined with."""
        from rankloop.features.joining.store import FeatureStore

        return FeatureStore(self.lake, self.settings.features, self.settings.zone)

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs Ibis expressions: DuckDB, or a Spark cluster."""
        from rankloop.engine.opening import open_engine

        return self._stack.enter_context(open_engine(self.settings.features))

    @cached_property
    def registry(self) -> Registry:
        """The MLflow registry."""
        from rankloop.registry.connection import Registry

        return Registry(self.settings.mlflow)


@contextmanager
def open_context(settings: Settings | None = None, clock: Clock = utc_now) -> Iterator[Context]:
    """Open a context for as long as a task or command runs, by default with the settings of this process."""
    with ExitStack() as stack:
        yield Context(settings or load_settings(), clock, stack)
