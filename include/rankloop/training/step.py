"""The decorator of a training's steps: an error that a retry cannot solve fails the MLflow run, with its message."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from rankloop.context import Context
from rankloop.errors import TransientError
from rankloop.registry.tracking import training_run

P = ParamSpec("P")
R = TypeVar("R")
TrainingStep = Callable[Concatenate[Context, str, P], R]


def training_step(function: TrainingStep[P, R]) -> TrainingStep[P, R]:
    """Return the function with this behaviour: an error that is not transient marks the run as failed.

    Otherwise a training that a leak stopped would look as if it were running for ever. A cleared step runs on.
    """

    @wraps(function)
    def step(context: Context, run_id: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        run = training_run(context.registry, run_id)
        run.go_on()
        try:
            return function(context, run_id, *args, **kwargs)
        except TransientError:
            raise
        except Exception as error:
            run.stop(str(error) or type(error).__name__)
            raise

    return step
