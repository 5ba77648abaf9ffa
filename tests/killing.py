"""Ways to die: a process that is killed at a chosen point, as if by `kill -9`."""

import importlib
import os
import signal
from dataclasses import dataclass
from functools import reduce
from typing import Any


@dataclass(frozen=True)
class Point:
    """The moment before or after the n-th call of a function."""

    function: str
    """Module and name, as in `rankloop.lake.tables:Lake._commit`."""
    call: int
    after: bool = False


def mine(point: Point) -> None:
    """Have this process die at the point."""
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
