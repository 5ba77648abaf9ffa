"""A process that makes a day and is killed at a chosen point of it."""

import importlib
import os
import signal
from dataclasses import dataclass
from functools import reduce
from typing import Any

from rankloop.contracts.marketplace import COLLECTIONS
from rankloop.events.cleaning import clean
from rankloop.events.site import Site
from rankloop.events.staging import extract
from rankloop.lake.tables import Lake
from rankloop.marketplace.connection import connect
from tests.events.shop import DAY, HANOI, NIGHT, NOT_STRICT


@dataclass(frozen=True)
class Point:
    """The moment before or after the n-th call of a function."""

    function: str
    """Module and name, as in `rankloop.lake.tables:Lake._commit`."""
    call: int
    after: bool = False


def make_day(address: str, root: str, point: Point | None) -> None:
    """Extract and clean the day, and die at the point if there is one."""
    if point:
        _mine(point)
    client = connect(address)
    site = Site(client, Lake(root), HANOI, NOT_STRICT)
    for source in COLLECTIONS:
        extract(DAY, source, site, NIGHT)
    clean(DAY, site, NIGHT)
    client.close()


def _mine(point: Point) -> None:
    module, _, path = point.function.partition(":")
    *owners, name = path.split(".")
    owner: Any = reduce(getattr, owners, importlib.import_module(module))
    original = getattr(owner, name)
    calls = 0

    def deadly(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  (passed through)
        nonlocal calls
        calls += 1
        if calls == point.call and not point.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if calls == point.call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)
