"""Finds a feature that knows what the buyer did: one that tells clicked from ignored by itself, too well to be true."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rankloop.errors import RankloopError
from rankloop.settings import variable

BINS = 64
Column = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


class LeakError(RankloopError):
    """A feature knows the label."""


def power(column: Column, clicked: Flags) -> float:
    """How well a feature by itself tells clicked products from ignored ones: the area under its ROC curve.

    The values are put into bins, empty ones into a bin of their own, and the bins ordered by their share of clicks, so
    any relation counts, not only a rising one.
    """
    hits, all_rows = int(clicked.sum()), len(clicked)
    if hits in {0, all_rows}:
        return 0.5
    there = column[~np.isnan(column)]
    at = np.linspace(0, 1, BINS)
    edges = [np.quantile(part, at, method="inverted_cdf") for part in (there, _present(column[clicked])) if len(part)]
    borders = np.unique(np.concatenate(edges)) if edges else np.empty(0)
    bin_of = np.where(np.isnan(column), len(borders) + 1, np.searchsorted(borders, column))
    total = np.bincount(bin_of, minlength=len(borders) + 2).astype(float)
    yes = np.bincount(bin_of, clicked, len(borders) + 2)
    order = np.argsort(yes / np.maximum(total, 1), kind="stable")
    yes, no = yes[order], (total - yes)[order]
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / (hits * (all_rows - hits)))


def refuse_leaks(columns: Iterable[tuple[str, Column]], clicked: Flags, limit: float) -> Mapping[str, float]:
    """By feature its power; stops the run if any is beyond the limit."""
    found = {name: power(np.asarray(column), clicked) for name, column in columns}
    leaks = {name: value for name, value in found.items() if value > limit}
    if leaks:
        listed = ", ".join(f"{name} ({value:.4f})" for name, value in sorted(leaks.items(), key=_by_power))
        raise LeakError(
            f"{listed}: by itself it tells clicked products from ignored ones with an area under the curve beyond "
            f"{limit}. Such a feature knows what happened after the list was shown. Mend it to be as of the end of "
            f"the day before, and rebuild its days; if it is honest, raise {variable('training.leak_limit')}."
        )
    return found


def _by_power(entry: tuple[str, float]) -> Any:  # noqa: ANN401  (a key to sort by)
    return -entry[1], entry[0]


def _present(values: Column) -> Column:
    return values[~np.isnan(values)]
