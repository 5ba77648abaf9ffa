"""Finds a feature that knows what the buyer did: one that tells clicked from ignored by itself, too well to be true."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rankloop.errors import RankloopError
from rankloop.settings import variable

BINS = 64
CLICKS_A_BIN = 20
Column = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


class LeakError(RankloopError):
    """A feature knows the label."""


def power(column: Column, clicked: Flags) -> float:
    """How well a feature by itself tells clicked products from ignored ones: the area under its ROC curve.

    The values are put into bins, empty ones into a bin of their own, and the bins ordered by their share of clicks, so
    any relation counts, not only a rising one. One half of the rows orders the bins and the other is classified, or a
    few lucky bins would look like knowledge.
    """
    bins = _bins(column, clicked)
    learned, classified = (_by_bin(bins[half::2], clicked[half::2], int(bins.max(initial=0)) + 1) for half in (0, 1))
    order = np.argsort(learned[0] / np.maximum(learned.sum(axis=0), 1), kind="stable")
    yes, no = classified[:, order]
    pairs = yes.sum() * no.sum()
    return float((yes * (np.cumsum(no) - no / 2)).sum() / pairs) if pairs else 0.5


def _bins(column: Column, clicked: Flags) -> npt.NDArray[np.int64]:
    """Borders are quantiles of all values and of the clicked ones, which may be few and close together."""
    count = int(np.clip(clicked.sum() // CLICKS_A_BIN, 2, BINS))
    parts = [_present(values) for values in (column, column[clicked])]
    edges = [np.quantile(part, np.linspace(0, 1, count), method="inverted_cdf") for part in parts if len(part)]
    borders = np.unique(np.concatenate(edges)) if edges else np.empty(0)
    return np.where(np.isnan(column), len(borders) + 1, np.searchsorted(borders, column))


def _by_bin(bins: npt.NDArray[np.int64], clicked: Flags, count: int) -> npt.NDArray[np.float64]:
    """How many products of each bin were clicked, and how many not."""
    yes = np.bincount(bins, clicked, count)
    return np.stack([yes, np.bincount(bins, minlength=count) - yes])


def refuse_leaks(columns: Iterable[tuple[str, Column]], clicked: Flags, limit: float) -> Mapping[str, float]:
    """By feature its power; stops the run if any is beyond the limit."""
    powers = {name: power(np.asarray(column), clicked) for name, column in columns}
    leaks = {name: value for name, value in powers.items() if value > limit}
    if leaks:
        listed = ", ".join(f"{name} ({value:.4f})" for name, value in sorted(leaks.items(), key=_by_power))
        raise LeakError(
            f"{listed}: by itself it tells clicked products from ignored ones with an area under the curve beyond "
            f"{limit}. Such a feature knows what happened after the list was shown. Change it to be as of the end of "
            f"the day before, and rebuild its days; if it is honest, raise {variable('training.leak_limit')} and start "
            "another training, for this one keeps the settings that it was begun with."
        )
    return powers


def _by_power(entry: tuple[str, float]) -> Any:  # noqa: ANN401  (a key to sort by)
    return -entry[1], entry[0]


def _present(values: Column) -> Column:
    return values[~np.isnan(values)]
