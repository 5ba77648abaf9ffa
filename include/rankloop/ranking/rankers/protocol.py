"""The protocol of rankers, and the options that they are fitted with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rankloop.errors import RankloopError
from rankloop.ranking.blocks import Floats, Matrix, Source
from rankloop.settings.training import Debias, RankerSettings, Value

OnRound = Callable[[int, float], None]
"""Called after each round of fitting with the metric on the validation days."""


class RankerError(RankloopError):
    """A ranker that cannot be found, unknown parameters, or a folder without a ranker."""


@dataclass(frozen=True)
class FitOptions:
    """The parameters and options that a ranker is fitted with."""

    params: Mapping[str, Value]
    """The fixed and tuned parameters of one trial."""
    fit: Mapping[str, int]
    features: tuple[str, ...]
    seed: int = 7
    threads: int = 2
    metric: str = "ndcg@10"
    """The metric on the validation days that stops fitting early."""
    debias: Debias = "none"
    on_round: OnRound = field(default=lambda _round, _figure: None)


@dataclass(frozen=True)
class LearningCurve:
    """The metric on the validation days, round by round."""

    metric: str
    valid: tuple[float, ...]
    """The metric on the validation days after each round."""
    best_round: int
    """From 0; later rounds are not kept."""


class Ranker(Protocol):
    """A fitted ranker."""

    curve: LearningCurve

    def score(self, values: Matrix) -> Floats:
        """Return the score of each row, which depends on that row alone; higher is better within a list."""
        ...

    def use_single_thread(self) -> None:
        """Make the calling thread score without a thread pool of its own, where threads score side by side."""
        ...

    def importance(self) -> npt.NDArray[np.float64]:
        """Return each feature's share of the importance; they add up to 1, or are all 0."""
        ...

    def explain(self, values: Matrix) -> Floats:
        """Return what each feature adds to each row's score, and in one more column the base value."""
        ...

    def save(self, folder: Path) -> None:
        """Write the ranker into a model's folder, as JSON or in its library's own format; never as a pickle."""
        ...


class RankerKind(Protocol):
    """A kind of ranker: how it is fitted and loaded."""

    def fit(self, train: Source, valid: Source, options: FitOptions) -> Ranker:
        """Return a ranker that was fitted on one set, and stopped early by another."""
        ...

    def load(self, folder: Path, features: int) -> Ranker:
        """Load what `save` wrote, without unpickling anything."""
        ...


def require_known_params(kind: str, given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    """Raise an error for a parameter that the ranker would ignore: it would be tuned for nothing."""
    if unknown := sorted(set(given) - known):
        raise RankerError(
            f"the {kind} ranker has no {what} called {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )


def trial_params(settings: RankerSettings, tuned: Mapping[str, Value]) -> dict[str, Value]:
    """Return the parameters of one trial: the fixed ones, with the tuned values in place of theirs."""
    return {**settings.fix_params, **tuned}
