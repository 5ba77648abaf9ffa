"""Histograms of a feature against a reference: its cells, and the drift between two of them.

There is an edge at every value of the reference where there are at most `EDGES` of them, else at its quantiles, a
thousandth apart. A cell is an edge itself, or what lies between two of them; further ones are what lies below the least
and above the greatest value that the reference has, and what is unknown. Counts of cells add up, whatever the order of
the rows and wherever they were counted.

- PSI is exact: its bins are tenths of the reference, and each is made of whole cells. What lies outside of the
  reference is in bins of its own, or a price in the wrong unit would hide in the lowest tenth; so is what is unknown.
- KS is exact where every value of the reference is an edge. Else it is at most a thousandth too low: between two edges
  lies nothing else of the reference.
- The median lies in the right cell, and within it where it would be if the values lay evenly.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Column = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
EDGES = 1000
BINS = 10
CODES = 100
"""A feature of at most this number of distinct integers is taken for a code."""
FLOOR = 1e-4
"""The least share that PSI takes a bin to have: of nothing it would be infinite."""


@dataclass(frozen=True)
class ValueBins:
    """The cells of one feature; `edges` rise, and `ends` are those of them with which a bin of PSI ends."""

    edges: Column
    ends: Column

    @property
    def size(self) -> int:
        """Return how many cells there are; the last is that of missing values."""
        return 2 * len(self.edges) + 2

    @cached_property
    def codes(self) -> bool:
        """Return whether the values are few whole numbers, such that one which was never seen means something."""
        few = 0 < len(self.edges) <= CODES and len(self.edges) < EDGES
        return few and bool((self.edges == np.rint(self.edges)).all())

    @cached_property
    def psi_bins(self) -> Ints:
        """Return, by cell, the bin of PSI that it is part of."""
        known = np.searchsorted(self.ends, self.edges)
        below, above, unknown = len(self.ends), len(self.ends) + 1, len(self.ends) + 2
        # What lies before an edge is in the bin that the edge is in, except before the first.
        between = np.concatenate([[below], known[1:], [above]]) if len(self.edges) else np.array([above])
        if len(self.edges) and len(self.ends) == len(self.edges):
            between[:] = above  # every value has a bin, so what lies between two of them was never seen
        made = np.empty(self.size, dtype=np.int64)
        made[:-1:2], made[1:-1:2], made[-1] = between, known, unknown
        return made

    def cells(self, values: Column) -> Ints:
        """Return the cell of each value."""
        place = np.searchsorted(self.edges, values)
        if not len(self.edges):
            return np.asarray(np.isnan(values), dtype=np.int64)
        met = self.edges[np.minimum(place, len(self.edges) - 1)] == values
        return np.where(np.isnan(values), self.size - 1, 2 * place + met)

    def count(self, known: Column, unknown: int) -> Floats:
        """Count the values in each cell, given in order: searching edges among values is quicker than the reverse."""
        left, right = (np.searchsorted(known, self.edges, side) for side in ("left", "right"))
        made = np.empty(self.size, dtype=np.float64)
        made[:-1:2] = np.append(left, len(known)) - np.append(0, right)
        made[1:-1:2] = right - left
        made[-1] = unknown
        return made


def fit_bins(values: Column, weights: Floats) -> ValueBins:
    """Return the bins of a reference, given the weights of its rows."""
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")
    there, weighed = values[known][order], np.cumsum(weights[known][order])
    distinct = np.unique(there)
    ends = distinct if len(distinct) <= BINS else _quantiles(there, weighed, BINS)
    edges = distinct if len(distinct) <= EDGES else np.union1d(_quantiles(there, weighed, EDGES), distinct[[0, -1]])
    # A tenth is hardly ever a thousandth to the last bit of its weight.
    return ValueBins(np.union1d(edges, ends).astype(np.float32), ends.astype(np.float32))


def _quantiles(ordered: Column, weighed: Floats, parts: int) -> Column:
    """Return the values with which each of `parts` equal parts ends, once each; the last is the greatest."""
    shares = np.arange(1, parts) / parts * weighed[-1]
    return np.unique(np.append(ordered[np.searchsorted(weighed, shares)], ordered[-1]))


def psi(bins: ValueBins, reference: Floats, now: Floats) -> float:
    """Return the population stability index of two histograms; NaN where one of them is empty."""
    size = len(bins.ends) + 3
    shares = [shares_of(np.bincount(bins.psi_bins, counts, size).astype(np.float64)) for counts in (reference, now)]
    before, after = (np.maximum(share, FLOOR) for share in shares)
    return float(np.sum((after - before) * np.log(after / before)))


def ks(reference: Floats, now: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of two histograms; NaN where one has no known values."""
    before, after = (np.cumsum(shares_of(counts[:-1])) for counts in (reference, now))
    return float(np.abs(after - before).max())


def missing_share(counts: Floats) -> float:
    """Return the share of missing values."""
    return float(shares_of(counts)[-1])


def new_value_share(reference: Floats, now: Floats) -> float:
    """Return the share of known values that the reference never had; only where each of its values is an edge."""
    return float(shares_of(now[:-1])[reference[:-1] == 0].sum())


def binned_median(bins: ValueBins, counts: Floats, least: float, greatest: float) -> float:
    """Return the median of a histogram; `least` and `greatest` bound the outermost cells."""
    upto = np.cumsum(counts[:-1])
    if not upto[-1]:
        return float("nan")
    cell = int(np.searchsorted(upto, upto[-1] / 2))
    if cell % 2:
        return float(bins.edges[cell // 2])
    bounds = np.concatenate([[least], bins.edges, [greatest]]).astype(np.float64)
    low, high = bounds[cell // 2], bounds[cell // 2 + 1]
    within = 1 - (upto[cell] - upto[-1] / 2) / counts[cell]
    return float(low + (high - low) * within)


def shares_of(counts: Floats) -> Floats:
    """Return counts divided by their sum."""
    with np.errstate(invalid="ignore"):
        return np.asarray(counts / counts.sum())
