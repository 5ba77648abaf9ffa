"""Verifies that a version's model can be used: its files are those that were evaluated, and it loads."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rankloop.errors import RankloopError, TransientError
from rankloop.ranking.model import load_model
from rankloop.registry import versions
from rankloop.registry.connection import Registry


class UnusableModelError(RankloopError):
    """A model that cannot be champion."""


def verify_model(registry: Registry, number: int) -> None:
    """Raise an error unless the version's model has the digest that was registered, and loads."""
    try:
        with TemporaryDirectory() as folder:
            load_model(versions.load(registry, versions.version(registry, number), Path(folder) / "model"))
    except TransientError:
        raise
    except (RankloopError, ValueError, KeyError, OSError) as error:
        raise UnusableModelError(f"the model of version {number} cannot be used: {error}") from error
