"""What each line of the policy looks at, and when a row breaks it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import NormalDist
from typing import Any, Literal

from rankloop.monitoring.measure.measures import CONCEPT, DRIFT, PERFORMANCE, QUALITY

Row = Mapping[str, Any]
Role = Literal["inputs", "outputs", "performance", "concept", "data"]
Interval = tuple[float, float]
NORMAL = NormalDist()
LATER = {DRIFT: 0, QUALITY: 0, PERFORMANCE: 1, CONCEPT: 1}
"""By table, how many days after the day it can be measured: what buyers did is known a day later."""


@dataclass(frozen=True)
class Look:
    """What a line of the policy looks at."""

    rule: str
    """Its name in the settings."""
    role: Role
    """What it says something of."""
    table: str
    signal: str
    measures: tuple[str, ...]
    """Patterns."""
    broken: Callable[[Row, Interval, float], bool]
    """Whether a row with this interval breaks the threshold."""

    def takes(self, row: Row) -> bool:
        """Whether the row is one to look at."""
        named = any(fnmatchcase(row["measure"], pattern) for pattern in self.measures)
        return row["signal"] == self.signal and named and known(row["value"])


def known(value: float | None) -> bool:
    """Whether there is a figure."""
    return value is not None and math.isfinite(value)


def interval(row: Row, confidence: float, looks: int) -> Interval:
    """The row's interval, widened so that all of so many hold together with the confidence of one (Bonferroni).

    Without an interval it is the value itself.
    """
    value = row["value"]
    if not (known(row["low"]) and known(row["high"])):
        return value, value
    tail = (1 - confidence) / 2
    wider = NORMAL.inv_cdf(1 - tail / max(looks, 1)) / NORMAL.inv_cdf(1 - tail)
    return value - (value - row["low"]) * wider, value + (row["high"] - value) * wider


def above(row: Row, within: Interval, threshold: float) -> bool:
    """All of it is above the threshold, and above what is expected if that is more."""
    return within[0] > max(threshold, row["expected"] if known(row["expected"]) else threshold)


def far_beyond_usual(row: Row, _: Interval, threshold: float) -> bool:
    """It is so many times what is expected, where less than `LEAST_USUAL` counts as that."""
    return known(row["expected"]) and row["value"] > threshold * max(row["expected"], LEAST_USUAL)


def risen(row: Row, within: Interval, threshold: float) -> bool:
    """It has risen over what is expected by more than the threshold."""
    return known(row["expected"]) and within[0] - row["expected"] > threshold


def fallen(row: Row, within: Interval, threshold: float) -> bool:
    """It has fallen below what is expected by more than this share."""
    return known(row["expected"]) and within[1] < row["expected"] * (1 - threshold)


def more_than_usual(row: Row, _: Interval, threshold: float) -> bool:
    """It is above all usual days, whose range such a row has, and has risen by more than the threshold."""
    return not _usual(row) and risen(row, (row["value"], row["value"]), threshold)


def less_than_usual(row: Row, _: Interval, threshold: float) -> bool:
    """It is below all usual days, and has fallen by more than this share."""
    return not _usual(row) and fallen(row, (row["value"], row["value"]), threshold)


def grown(row: Row, _: Interval, threshold: float) -> bool:
    """It is above all usual days, and above what is expected by more than this share."""
    return not _usual(row) and known(row["expected"]) and row["value"] > row["expected"] * (1 + threshold)


def _usual(row: Row) -> bool:
    bounds = row["low"], row["high"]
    return all(known(bound) for bound in bounds) and bounds[0] <= row["value"] <= bounds[1]


def below(_: Row, within: Interval, threshold: float) -> bool:
    """All of it is below nothing by more than the threshold."""
    return within[1] < -threshold


def off(_: Row, within: Interval, threshold: float) -> bool:
    """All of it is away from nothing, either way, by more than the threshold."""
    return within[0] > threshold or within[1] < -threshold


def jumped(row: Row, _: Interval, threshold: float) -> bool:
    """It is another by this factor or more, up or down."""
    factor = factor_of(row)
    return factor is not None and not 1 / threshold < factor < threshold


def factor_of(row: Row) -> float | None:
    """By what a value differs from what is expected; None where that says nothing."""
    value, expected = row["value"], row["expected"]
    if not known(value) or not known(expected) or value <= 0 or expected <= 0:
        return None
    return float(value / expected)


LEAST_USUAL = 0.025
"""A tenth of the PSI from which on features are commonly said to have moved: what differs by less is calm."""
MIDDLES = ("mean", "median")
TAKEN = ("ndcg@10", "ctr@10", "map@10", "recall@30")
LOOKS: tuple[Look, ...] = (
    Look("feature", "inputs", DRIFT, "feature", ("psi",), far_beyond_usual),
    Look("prediction", "outputs", DRIFT, "prediction", ("psi",), above),
    Look("population", "inputs", DRIFT, "population", ("auc",), above),
    Look("missing", "data", DRIFT, "feature", ("missing",), risen),
    Look("new_values", "inputs", DRIFT, "feature", ("new_values",), above),
    Look("catalogue", "inputs", QUALITY, "source", ("rows",), grown),
    Look("jump", "data", DRIFT, "feature", MIDDLES, jumped),
    Look("performance", "performance", PERFORMANCE, "reranked", TAKEN, fallen),
    Look("against_control", "performance", PERFORMANCE, "against_control", ("*",), below),
    Look("estimated", "outputs", PERFORMANCE, "estimated", ("ctr@10", "ndcg@10"), fallen),
    Look("fresh", "concept", CONCEPT, "fresh", ("ndcg@10",), above),
    Look("residual", "concept", CONCEPT, "residual", ("calibration",), off),
    Look("source_rows", "data", QUALITY, "source", ("rows",), less_than_usual),
    Look("quarantined", "data", QUALITY, "source", ("quarantined_share",), more_than_usual),
    Look("columns", "data", QUALITY, "column", ("nulls",), more_than_usual),
    Look("off_scale", "data", QUALITY, "column", ("off_scale", "jumped"), more_than_usual),
    Look("jump", "data", QUALITY, "column", (*MIDDLES, "p05", "p95"), jumped),
)
"""All but `inputs`, which looks at all features at once."""
