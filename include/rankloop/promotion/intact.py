"""Whether the model of a version can be used: its files are those that were judged, and it loads."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rankloop.errors import RankloopError, TransientError
from rankloop.ranking.model import load_model
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings


class UnusableModelError(RankloopError):
    """A model that cannot be champion."""


def insist_intact(settings: Settings, number: int) -> None:
    """Refuse a version whose model is not what it was, or does not load."""
    try:
        with TemporaryDirectory() as folder:
            load_model(
                versions.load(
                    Registry(settings.mlflow),
                    versions.version(Registry(settings.mlflow), number),
                    Path(folder) / "model",
                )
            )
    except TransientError:
        raise
    except (RankloopError, ValueError, KeyError, OSError) as error:
        raise UnusableModelError(f"the model of version {number} cannot be used: {error}") from error
