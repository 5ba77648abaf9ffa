"""Opens the engine that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager

from rankloop.engine.protocol import Engine
from rankloop.settings.features import FeatureSettings


@contextmanager
def open_engine(settings: FeatureSettings) -> Iterator[Engine]:
    """Open the engine that the settings name, and close it when the context ends."""
    if settings.engine == "spark":
        from rankloop.engine.spark import open_spark  # noqa: PLC0415  (an extra that most installs lack)

        with open_spark(settings) as spark:
            yield spark
    else:
        from rankloop.engine.duck import open_duck  # noqa: PLC0415  (loaded only where it is used)

        with open_duck(settings) as duck:
            yield duck
