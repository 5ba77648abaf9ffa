"""Counts the connections that are opened, wherever in the library."""

from collections import Counter
from collections.abc import Callable

import pytest
from pymongo import MongoClient

from rankloop.engine.duck import DuckEngine
from rankloop.lake.tables import Lake
from rankloop.registry.connection import Registry

OPENED = {"lake": Lake, "client": MongoClient, "engine": DuckEngine, "registry": Registry}


def count_openings(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often each kind of connection was opened, counted from now on until the patch is undone."""
    counts: Counter[str] = Counter()

    def counting(kind: str, init: Callable[..., None]) -> Callable[..., None]:
        def counted(self: object, *arguments: object, **named: object) -> None:
            counts[kind] += 1
            init(self, *arguments, **named)

        return counted

    for kind, opened_class in OPENED.items():
        patch.setattr(opened_class, "__init__", counting(kind, opened_class.__init__))
    return counts
