"""Check that a row's score depends on that row alone.

A model that leans on the order or the company of rows ranks differently in training, in the nightly batch and in the
serving app, and no metric shows it: a feature computed over the batch, a normalisation left in training mode.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rankloop.errors import RankloopError
from rankloop.ranking.metrics import Floats, Ints

TOLERANCE = 1e-9  # what the order of a sum may change in a double, and far from what exchanges two products
SMALL = 200  # rows that are scored one by one
BATCHES = (7, 1000)

Scorer = Callable[[pa.Table], Floats]


class InvarianceError(RankloopError):
    """Scores that depend on more than their row."""


@dataclass(frozen=True)
class Invariance:
    """The largest change of a score in each way that the same rows were scored, relative where scores exceed 1."""

    rows: int
    largest: dict[str, float]
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether every score stayed what it was."""
        return all(change <= self.tolerance for change in self.largest.values())

    def insist(self) -> None:
        """Stop where a score changed, and say when."""
        for way, change in self.largest.items():
            if not change <= self.tolerance:
                raise InvarianceError(
                    f"scores of the same {self.rows:,} rows change by up to {change:.3g} when they are scored {way} "
                    f"(limit {self.tolerance:g}). A score must depend on its own row alone: look for a feature or a "
                    "normalisation that is taken over the batch."
                )


def check_invariance(score: Scorer, table: pa.Table, seed: int = 7, tolerance: float = TOLERANCE) -> Invariance:
    """How much scores change when the same rows come in another order, in batches, alone, or twice."""
    expected = np.asarray(score(table), dtype=np.float64)
    largest = {
        way: max(
            (_change(expected[rows], np.asarray(score(table.take(pa.array(rows))))) for rows in batches), default=0.0
        )
        for way, batches in _ways(len(table), np.random.default_rng(seed))
    }
    return Invariance(len(table), largest, tolerance)


def _ways(rows: int, random: np.random.Generator) -> Iterator[tuple[str, list[Ints]]]:
    everything = np.arange(rows)
    yield "again", [everything]
    yield "in reverse order", [everything[::-1].copy()]
    yield "in random order", [random.permutation(rows)]
    yield "twice at once", [np.repeat(everything, 2)]
    few = np.sort(random.choice(rows, min(rows, SMALL), replace=False))
    yield "one by one", [np.array([row]) for row in few]
    for size in BATCHES:
        starts = range(0, min(rows, size * SMALL), size)
        yield f"in batches of {size:,}", [everything[start : start + size] for start in starts]


def _change(expected: Floats, actual: Floats) -> float:
    """Return the largest relative change of a score, infinite if one changed to or from NaN."""
    if not len(expected):
        return 0.0
    scale = np.maximum(1.0, np.abs(expected))
    change = np.where(np.isnan(expected) & np.isnan(actual), 0.0, np.abs(actual - expected) / scale)
    return float(np.where(np.isnan(change), np.inf, change).max())
