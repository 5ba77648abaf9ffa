"""Searches the values of `tune_params` with Optuna, within a budget of trials and minutes; an interrupted one resumes.

Each proposal follows from the seed and from the results of the trials before it. So trials that the log already has are
proposed again, compared with the log and not fitted again, and the search continues as if it had not been interrupted.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from rankloop.errors import RankloopError
from rankloop.settings.training import Search, Value

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

Params = dict[str, Value]


class TuningError(RankloopError):
    """A log of trials that belongs to another search."""


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial on the validation days."""

    figure: float
    rounds: int


@dataclass(frozen=True)
class Trial:
    """A set of values, and its result."""

    number: int
    params: Params
    figure: float
    rounds: int
    seconds: float
    repeats: int | None = None
    """The earlier trial with the same values, whose result was taken."""


class TrialLog(Protocol):
    """A log of finished trials, so that an interrupted search can resume."""

    def finished(self) -> Sequence[Trial]:
        """Return the trials so far, in order."""
        ...

    def record(self, trial: Trial) -> None:
        """Add a trial that has just finished."""
        ...


class MemoryLog:
    """A log of trials in memory."""

    def __init__(self, trials: Sequence[Trial] = ()) -> None:
        self._trials = list(trials)

    def finished(self) -> Sequence[Trial]:
        """Return the trials so far, in order."""
        return tuple(self._trials)

    def record(self, trial: Trial) -> None:
        """Add a trial that has just finished."""
        self._trials.append(trial)


def as_params(read: Mapping[str, Any]) -> Params:
    """Return parameters read from JSON with tuples in place of lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}


@dataclass(frozen=True)
class SearchSpace:
    """The values to search, and how; see `TrainingSettings`."""

    choices: Mapping[str, Sequence[Value]]
    first: Mapping[str, Value]
    """The values that hold without tuning: tried first if all of them are among the choices."""
    search: Search
    max_iter: int
    minutes: float
    seed: int

    @property
    def size(self) -> int:
        """Return how many sets of values there are."""
        return math.prod(len(values) for values in self.choices.values())

    def at(self, places: Sequence[int]) -> Params:
        """Return the values at these places of the choices."""
        return {name: values[place] for (name, values), place in zip(self.choices.items(), places, strict=True)}

    def default(self) -> tuple[int, ...] | None:
        """Return the places of the values that hold without tuning, if they are among the choices."""
        if any(self.first.get(name) not in values for name, values in self.choices.items()):
            return None
        return tuple(list(values).index(self.first[name]) for name, values in self.choices.items())


def run_search(
    space: SearchSpace,
    evaluate: Callable[[Params], TrialResult],
    log: TrialLog,
    on_trial: Callable[[Trial], None] = lambda _: None,
    clock: Callable[[], float] = monotonic,
) -> list[Trial]:
    """Return all trials of the search, including those in the log; a higher figure is better.

    The minutes include those that interrupted processes spent. At least one trial is made, whatever they are.
    """
    done = list(log.finished())
    trials: list[Trial] = []
    for number, params in enumerate(_proposals(space, trials)):
        if number < len(done):
            _require_same_search(done[number], number, params)
            trials.append(done[number])
            continue
        if trials and sum(trial.seconds for trial in trials) >= space.minutes * 60:
            break
        trials.append(_run_trial(number, params, trials, evaluate, clock))
        log.record(trials[-1])
        on_trial(trials[-1])
    return trials


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the highest figure, the earliest of several."""
    return max(trials, key=lambda trial: (trial.figure, -trial.number), default=None)


def _run_trial(
    number: int,
    params: Params,
    earlier: Sequence[Trial],
    evaluate: Callable[[Params], TrialResult],
    clock: Callable[[], float],
) -> Trial:
    for trial in earlier:
        if trial.params == params:
            return Trial(number, params, trial.figure, trial.rounds, 0.0, repeats=trial.number)
    started = clock()
    result = evaluate(params)
    return Trial(number, params, result.figure, result.rounds, clock() - started)


def _require_same_search(trial: Trial, number: int, params: Params) -> None:
    if (trial.number, trial.params) != (number, params):
        raise TuningError(
            f"trial {number} of the log has the values {trial.params}, but this search proposes {params}: it "
            "was started by another version of Rankloop or of Optuna. Start another training."
        )


def _proposals(space: SearchSpace, trials: list[Trial]) -> Iterator[Params]:
    """Yield the values of one trial after the other, until all are tried; the caller adds each result to `trials`."""
    if not space.choices or not space.max_iter:
        return
    import optuna  # noqa: PLC0415  (slow to import, and only a search needs it)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=_sampler(space))
    if default := space.default():
        study.enqueue_trial(dict(zip(space.choices, default, strict=True)))
    tried: set[tuple[int, ...]] = set()
    while True:
        trial = study.ask()
        # Optuna searches places among the choices: they have an order, and a value may be of any type.
        places = tuple(trial.suggest_int(name, 0, len(values) - 1) for name, values in space.choices.items())
        tried.add(places)
        yield space.at(places)
        if len(trials) == space.max_iter or len(tried) == space.size:
            return  # without telling: after its last trial the grid's sampler would stop a study that it does not run
        study.tell(trial, trials[-1].figure)


def _sampler(space: SearchSpace) -> "BaseSampler":
    from optuna import samplers  # noqa: PLC0415  (likewise)

    if space.search == "grid":
        return samplers.GridSampler({name: range(len(values)) for name, values in space.choices.items()}, space.seed)
    if space.search == "random":
        return samplers.RandomSampler(space.seed)
    # Half of a small budget is random, so that the other half has something to go by.
    return samplers.TPESampler(seed=space.seed, n_startup_trials=min(5, max(space.max_iter // 2, 1)))
