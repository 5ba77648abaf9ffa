"""What every step of a training has in common: one that stops for good ends the run, and says why."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from rankloop.errors import TransientError
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
Step = Callable[Concatenate[Settings, str, P], R]


def step(work: Step[P, R]) -> Step[P, R]:
    """A function of settings and run as a step: an error that time does not mend leaves the run as failed.

    Without that, a training that a leak stopped would look as if it were under way for ever. Cleared, it goes on.
    """

    @wraps(work)
    def watched(settings: Settings, run_id: str, /, *more: P.args, **options: P.kwargs) -> R:
        run = training_run(Registry(settings.mlflow), run_id)
        run.go_on()
        try:
            return work(settings, run_id, *more, **options)
        except TransientError:
            raise
        except Exception as error:
            run.stop(str(error) or type(error).__name__)
            raise

    return watched
