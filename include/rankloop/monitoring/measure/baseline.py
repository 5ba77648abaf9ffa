"""The baseline of a figure: what is normal for it, given other days; no single odd day moves it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

AS_DEVIATION = 1.4826
"""The factor that makes a median absolute deviation the standard deviation of a normal distribution."""
DEVIATIONS = 5.0
FEWEST = 3
"""Days below which there is no baseline."""
TOLERANCE = {"count": 0.05, "share": 0.002, "level": 0.05}
"""By kind of figure, how far it varies without a reason: relative to itself, but a share absolutely."""


@dataclass(frozen=True)
class Baseline:
    """The normal value, and the range of normal days."""

    value: float
    low: float
    high: float


def baseline_of(kind: str, history: Sequence[float], rows: int) -> Baseline | None:
    """Return the baseline of a `count`, a `share` of some rows, or a `level`; None where there are too few days.

    A figure that was the same every day has no spread of its own, and must not raise an alarm by moving a little: its
    range gets the spread that chance alone would give, and the tolerance of its kind.
    """
    known = sorted(value for value in history if math.isfinite(value))
    if len(known) < FEWEST:
        return None
    middle = median(known)
    own = AS_DEVIATION * median(abs(value - middle) for value in known)
    spread = (
        max(own, _chance(kind, middle, rows)) + TOLERANCE[kind] * (1.0 if kind == "share" else abs(middle)) / DEVIATIONS
    )
    low, high = middle - DEVIATIONS * spread, middle + DEVIATIONS * spread
    if kind != "level":
        low = max(low, 0.0)
    return Baseline(middle, low, min(high, 1.0) if kind == "share" else high)


def _chance(kind: str, middle: float, rows: int) -> float:
    """Return the standard deviation that comes from sampling alone."""
    if kind == "count":
        return math.sqrt(max(middle, 0.0))
    if kind == "share" and rows:
        return math.sqrt(max(middle * (1 - middle), 0.0) / rows)
    return 0.0
