"""What every ranker can do, and where each is found by its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rankloop.errors import RankloopError
from rankloop.ranking.blocks import Floats, Matrix, Source
from rankloop.settings.training import Debias, Kind, RankerSettings, Value

OnRound = Callable[[int, float], None]
"""Called after each round of fitting with the figure on the validation days."""


class RankerError(RankloopError):
    """Parameters that a ranker does not know, or a folder that holds none."""


@dataclass(frozen=True)
class FitOptions:
    """What a ranker is fitted with."""

    params: Mapping[str, Value]
    """Fixed and tuned parameters of one trial."""
    fit: Mapping[str, int]
    features: tuple[str, ...]
    seed: int = 7
    threads: int = 2
    metric: str = "ndcg@10"
    """What the validation days are watched by, to stop early."""
    debias: Debias = "none"
    on_round: OnRound = field(default=lambda _round, _figure: None)


@dataclass(frozen=True)
class Curve:
    """How fitting went."""

    metric: str
    valid: tuple[float, ...]
    """The figure on the validation days after each round."""
    best_round: int
    """From 0; what comes after it is not kept."""


class Ranker(Protocol):
    """A ranker that is fitted."""

    curve: Curve

    def score(self, values: Matrix) -> Floats:
        """The score of each row, which depends on that row alone; higher is better within a list."""
        ...

    def alone(self) -> None:
        """Has the thread that asks score without the help of others, which score beside it."""
        ...

    def importance(self) -> npt.NDArray[np.float64]:
        """What each feature contributes in all; they add up to 1, or are all 0."""
        ...

    def explain(self, values: Matrix) -> Floats:
        """What each feature adds to each row's score, and in one more column what all rows have."""
        ...

    def save(self, folder: Path) -> None:
        """Write it into a model's folder, as JSON or in its library's own format."""
        ...


class RankerKind(Protocol):
    """How rankers of one kind are made."""

    def fit(self, train: Source, valid: Source, options: FitOptions) -> Ranker:
        """A ranker that learned from one set, and stopped by another."""
        ...

    def load(self, folder: Path, features: int) -> Ranker:
        """What `save` wrote, with nothing unpickled."""
        ...


def ranker_kind(kind: Kind | str) -> RankerKind:
    """The rankers of this name."""
    if kind == "xgboost":
        from rankloop.ranking.rankers.boosted import Boosted  # noqa: PLC0415  (slow to import, and one is used)

        return Boosted
    if kind in {"neural", "logistic"}:
        from rankloop.ranking.rankers.pointwise import Logistic, Neural  # noqa: PLC0415  (likewise)

        return Neural if kind == "neural" else Logistic
    raise RankerError(f"no ranker is called '{kind}'; there are xgboost, neural, logistic.")


def refuse_unknown(kind: str, given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    """A parameter that a ranker ignores would be tuned for nothing."""
    if unknown := sorted(set(given) - known):
        raise RankerError(
            f"the {kind} ranker has no {what} called {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )


def chosen(settings: RankerSettings, tuned: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters of one trial: a tuned value goes before the fixed one."""
    return {**settings.fix_params, **tuned}
