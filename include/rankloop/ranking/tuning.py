"""Searches among the values of `tune_params`, under a budget of trials and minutes; goes on where it was killed.

A search proposes each trial from its seed and the figures of the trials before, so those that a log has are proposed
again, checked against it and not fitted again: what comes after is what would have come without the interruption.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

import numpy as np

from rankloop.errors import RankloopError
from rankloop.settings.training import Search, Value

Params = dict[str, Value]


class TuningError(RankloopError):
    """A log of trials that belongs to another search."""


@dataclass(frozen=True)
class Outcome:
    """What a trial came to on the validation days."""

    figure: float
    rounds: int


@dataclass(frozen=True)
class Trial:
    """One set of values, and what it came to."""

    number: int
    params: Params
    figure: float
    rounds: int
    seconds: float
    repeats: int | None = None
    """The earlier trial of the same values whose figure was taken over."""


class TrialLog(Protocol):
    """Where finished trials are kept, so that a killed search goes on."""

    def finished(self) -> Sequence[Trial]:
        """The trials so far, in order."""
        ...

    def record(self, trial: Trial) -> None:
        """Keep a trial that has just finished."""
        ...


class MemoryLog:
    """Keeps trials for as long as the process lives."""

    def __init__(self, trials: Sequence[Trial] = ()) -> None:
        self._trials = list(trials)

    def finished(self) -> Sequence[Trial]:
        """The trials so far, in order."""
        return tuple(self._trials)

    def record(self, trial: Trial) -> None:
        """Keep a trial that has just finished."""
        self._trials.append(trial)


def as_params(read: Mapping[str, Any]) -> Params:
    """Parameters as they were before JSON turned tuples into lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}


@dataclass(frozen=True)
class Space:
    """What is searched, and how; see `TrainingSettings`."""

    choices: Mapping[str, Sequence[Value]]
    first: Mapping[str, Value]
    """The values that hold without tuning: tried first where all of them are among the choices."""
    search: Search
    max_iter: int
    minutes: float
    seed: int

    @property
    def size(self) -> int:
        """How many sets of values there are."""
        return math.prod(len(values) for values in self.choices.values())

    def at(self, places: Sequence[int]) -> Params:
        """The values at these places of the choices."""
        return {name: values[place] for (name, values), place in zip(self.choices.items(), places, strict=True)}

    def default(self) -> tuple[int, ...] | None:
        """The places of the values that hold without tuning, if they are among the choices."""
        if any(self.first.get(name) not in values for name, values in self.choices.items()):
            return None
        return tuple(list(values).index(self.first[name]) for name, values in self.choices.items())


def tune(
    space: Space,
    evaluate: Callable[[Params], Outcome],
    log: TrialLog,
    on_trial: Callable[[Trial], None] = lambda _: None,
    clock: Callable[[], float] = monotonic,
) -> list[Trial]:
    """All trials of the search, those that the log had included; the figures are better the higher.

    The minutes count what earlier processes spent too; at least one trial is made whatever they are.
    """
    done = list(log.finished())
    trials: list[Trial] = []
    proposals = _proposals(space, trials)
    for number, params in enumerate(proposals):
        if number < len(done):
            _refuse_other(done[number], number, params)
            trials.append(done[number])
            continue
        if trials and sum(trial.seconds for trial in trials) >= space.minutes * 60:
            break
        trials.append(_tried(number, params, trials, evaluate, clock))
        log.record(trials[-1])
        on_trial(trials[-1])
    return trials


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the highest figure, the earliest of several."""
    return max(trials, key=lambda trial: (trial.figure, -trial.number), default=None)


def _tried(
    number: int,
    params: Params,
    before: Sequence[Trial],
    evaluate: Callable[[Params], Outcome],
    clock: Callable[[], float],
) -> Trial:
    for trial in before:
        if trial.params == params:
            return Trial(number, params, trial.figure, trial.rounds, 0.0, repeats=trial.number)
    started = clock()
    outcome = evaluate(params)
    return Trial(number, params, outcome.figure, outcome.rounds, clock() - started)


def _refuse_other(trial: Trial, number: int, params: Params) -> None:
    if (trial.number, trial.params) != (number, params):
        raise TuningError(
            f"trial {number} of the log has the values {trial.params}, but this search proposes {params}: it "
            "was begun by another version of Rankloop or of Optuna. Start another training."
        )


def _proposals(space: Space, trials: list[Trial]) -> Iterator[Params]:
    """The values of one trial after the other; `trials` grows meanwhile."""
    if not space.choices or not space.max_iter:
        return
    ways = {"grid": _grid, "random": _random, "tpe": _tpe}
    for _, places in zip(range(space.max_iter), ways[space.search](space, trials), strict=False):
        yield space.at(places)


def _grid(space: Space, _trials: list[Trial]) -> Iterator[tuple[int, ...]]:
    """Every set of values, the default one first, then the last name's values fastest."""
    shape = [len(values) for values in space.choices.values()]
    default = space.default()
    if default is not None:
        yield default
    for places in np.ndindex(*shape):
        if places != default:
            yield places


def _random(space: Space, _trials: list[Trial]) -> Iterator[tuple[int, ...]]:
    """Sets of values drawn with none drawn twice, the default one first."""
    random = np.random.default_rng(space.seed)
    drawn: set[tuple[int, ...]] = set()
    default = space.default()
    if default is not None:
        drawn.add(default)
        yield default
    while len(drawn) < space.size:
        places = tuple(int(random.integers(len(values))) for values in space.choices.values())
        if places not in drawn:
            drawn.add(places)
            yield places


def _tpe(space: Space, trials: list[Trial]) -> Iterator[tuple[int, ...]]:
    """What Optuna's TPE proposes, told of each trial's figure before it proposes the next."""
    import optuna  # noqa: PLC0415  (slow to import, and only this search needs it)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=space.seed, n_startup_trials=min(5, max(space.max_iter // 2, 1)))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    default = space.default()
    if default is not None:
        study.enqueue_trial(dict(zip(space.choices, default, strict=True)))
    while True:
        asked = study.ask()
        # Places instead of values: they have an order, and a value may be of any type.
        places = tuple(asked.suggest_int(name, 0, len(values) - 1) for name, values in space.choices.items())
        yield places
        study.tell(asked, trials[-1].figure)
