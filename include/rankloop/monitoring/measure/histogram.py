"""Histograms of columns, whose parts add up exactly, whatever the order and the number of processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO

import numpy as np

from rankloop.monitoring.measure.value_bins import Column, Floats, ValueBins

_POWERS = np.ldexp(np.float32(1), np.arange(-126, 128, dtype=np.int32))
OCTAVES = np.concatenate([-_POWERS[::-1], _POWERS])
"""Between two of these lie float32 of one power of two, so that float64 adds up half a milliard of them exactly."""


@dataclass(frozen=True)
class ColumnCounts:
    """The histogram of a column, with its exact sum."""

    cells: Floats
    """By cell of its bins, how many values."""
    sums: Floats
    """By octave, the sum of its values, exact in every bit: one sum of all would depend on their order."""
    least: float
    greatest: float

    @property
    def mean(self) -> float:
        """Return the mean of the known values, correctly rounded."""
        known = int(self.cells[:-1].sum())
        return float(sum(map(Fraction, self.sums.tolist()), Fraction(0)) / known) if known else float("nan")


def count_column(bins: ValueBins, values: Column) -> ColumnCounts:
    """Return the counts of a column; what is not finite counts as missing."""
    known = np.sort(values[np.isfinite(values)])
    starts = np.append(0, np.searchsorted(known, OCTAVES))
    some = np.flatnonzero(np.diff(starts, append=len(known)))
    sums = np.zeros(len(starts))
    sums[some] = np.add.reduceat(known.astype(np.float64), starts[some]) if len(some) else 0.0
    least, greatest = (float(known[0]), float(known[-1])) if len(known) else (np.inf, -np.inf)
    return ColumnCounts(bins.count(known, len(values) - len(known)), sums, least, greatest)


def merge_counts(one: ColumnCounts, other: ColumnCounts) -> ColumnCounts:
    """Return the counts of two parts of a column together."""
    return ColumnCounts(
        one.cells + other.cells, one.sums + other.sums, min(one.least, other.least), max(one.greatest, other.greatest)
    )


def serialise_counts(columns: Sequence[ColumnCounts]) -> bytes:
    """Return counts as bytes, to be sent between processes."""
    parts = [np.concatenate([column.cells, column.sums, [column.least, column.greatest]]) for column in columns]
    sink = BytesIO()
    np.save(sink, np.concatenate(parts), allow_pickle=False)
    return sink.getvalue()


def deserialise_counts(all_bins: Sequence[ValueBins], content: bytes) -> list[ColumnCounts]:
    """Return the counts that `serialise_counts` wrote."""
    flat, columns, start = np.load(BytesIO(content), allow_pickle=False), [], 0
    for bins in all_bins:
        cells = start + bins.size
        sums = cells + len(OCTAVES) + 1
        columns.append(ColumnCounts(flat[start:cells], flat[cells:sums], float(flat[sums]), float(flat[sums + 1])))
        start = sums + 2
    return columns
