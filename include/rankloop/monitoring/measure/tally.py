"""Columns of numbers, counted: what many processes saw of them adds up to the same, in whatever order they saw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO

import numpy as np

from rankloop.monitoring.measure.grid import Column, Floats, Grid

_POWERS = np.ldexp(np.float32(1), np.arange(-126, 128, dtype=np.int32))
OCTAVES = np.concatenate([-_POWERS[::-1], _POWERS])
"""Between two of these lie float32 of one power of two, so that float64 adds up half a milliard of them exactly."""


@dataclass(frozen=True)
class Counted:
    """What a column came to."""

    cells: Floats
    """By cell of its grid, how many values."""
    sums: Floats
    """By octave, the sum of its values, exact in every bit: one sum of all would depend on their order."""
    least: float
    greatest: float

    @property
    def mean(self) -> float:
        """The mean of the known values, correctly rounded."""
        known = int(self.cells[:-1].sum())
        return float(sum(map(Fraction, self.sums.tolist()), Fraction(0)) / known) if known else float("nan")


def count(grid: Grid, values: Column) -> Counted:
    """A column counted; what is not finite counts as unknown."""
    known = np.sort(values[np.isfinite(values)])
    starts = np.append(0, np.searchsorted(known, OCTAVES))
    some = np.flatnonzero(np.diff(starts, append=len(known)))
    sums = np.zeros(len(starts))
    sums[some] = np.add.reduceat(known.astype(np.float64), starts[some]) if len(some) else 0.0
    least, greatest = (float(known[0]), float(known[-1])) if len(known) else (np.inf, -np.inf)
    return Counted(grid.count(known, len(values) - len(known)), sums, least, greatest)


def added(one: Counted, other: Counted) -> Counted:
    """Two parts of a column as one."""
    return Counted(
        one.cells + other.cells, one.sums + other.sums, min(one.least, other.least), max(one.greatest, other.greatest)
    )


def packed(columns: Sequence[Counted]) -> bytes:
    """Counted columns as they travel between processes."""
    parts = [np.concatenate([column.cells, column.sums, [column.least, column.greatest]]) for column in columns]
    sink = BytesIO()
    np.save(sink, np.concatenate(parts), allow_pickle=False)
    return sink.getvalue()


def unpacked(grids: Sequence[Grid], content: bytes) -> list[Counted]:
    """The same as they were."""
    flat, found, start = np.load(BytesIO(content), allow_pickle=False), [], 0
    for grid in grids:
        cells = start + grid.size
        sums = cells + len(OCTAVES) + 1
        found.append(Counted(flat[start:cells], flat[cells:sums], float(flat[sums]), float(flat[sums + 1])))
        start = sums + 2
    return found
