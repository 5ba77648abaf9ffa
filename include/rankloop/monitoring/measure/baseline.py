"""What is usual for a figure, given what it was on other days; no single odd day moves it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

AS_DEVIATION = 1.4826
"""What a median distance from the median is multiplied by to be a normal one's standard deviation."""
DEVIATIONS = 5.0
FEWEST = 3
"""Days below which nothing is usual."""
WOBBLE = {"count": 0.05, "share": 0.002, "level": 0.05}
"""By kind of figure, how far it moves without anything being the matter: of itself, but of a share in the whole."""


@dataclass(frozen=True)
class Baseline:
    """The usual value and the range that a usual day keeps within."""

    value: float
    low: float
    high: float


def baseline_of(kind: str, history: Sequence[float], rows: int) -> Baseline | None:
    """What is usual of a `count`, a `share` of so many rows, or a `level`; None where too few days tell.

    A figure that was the same every day has no spread of its own, and must not raise an alarm by moving a little: it
    gets what chance alone would move it by, and what such figures are allowed.
    """
    known = sorted(value for value in history if math.isfinite(value))
    if len(known) < FEWEST:
        return None
    middle = median(known)
    own = AS_DEVIATION * median(abs(value - middle) for value in known)
    spread = (
        max(own, _chance(kind, middle, rows)) + WOBBLE[kind] * (1.0 if kind == "share" else abs(middle)) / DEVIATIONS
    )
    low, high = middle - DEVIATIONS * spread, middle + DEVIATIONS * spread
    if kind != "level":
        low = max(low, 0.0)
    return Baseline(middle, low, min(high, 1.0) if kind == "share" else high)


def _chance(kind: str, middle: float, rows: int) -> float:
    """The standard deviation that counting alone brings."""
    if kind == "count":
        return math.sqrt(max(middle, 0.0))
    if kind == "share" and rows:
        return math.sqrt(max(middle * (1 - middle), 0.0) / rows)
    return 0.0
