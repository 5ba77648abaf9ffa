"""Ways to die: a process that is killed at a chosen point, as if by `kill -9`."""

import importlib
import os
import signal
from dataclasses import dataclass
from functools import reduce
from multiprocessing import get_context
from typing import Any

forks = get_context("forkserver")
"""Makes processes that have read in what tasks need before they are born; each would take seconds for it."""
# One list for all: a list set later would take the place of this one, or come too late.
forks.set_forkserver_preload(
    [
        *("rankloop.events.tasks", "rankloop.features.build", "rankloop.engine.duck", "rankloop_demo.simulator.living"),
        *("rankloop.training.pipeline", "rankloop.ranking.rankers.boosted", "optuna"),
        *("rankloop.promotion.decision", "rankloop.promotion.rollback", "rankloop.scoring.publishing"),
    ]
)


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
