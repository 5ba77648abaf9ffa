"""A finding: a measure that breaks a drift rule, and the rows that it comes from."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Row = Mapping[str, Any]
"""One measure of one day (`rankloop.monitoring.measure.tables`)."""
Rows = Mapping[str, Sequence[Row]]
"""Rows by table."""
Severity = Literal["watch", "alert", "retrain", "fall back"]
Role = Literal["inputs", "outputs", "performance", "concept", "data"]
ALL = "all"
"""The subject of a measure over all lists."""


class Finding(BaseModel):
    """A measure that breaks a drift rule."""

    model_config = ConfigDict(frozen=True)

    rule: str
    role: Role
    table: str
    signal: str
    subject: str
    measure: str
    severity: Severity
    days: tuple[date, ...]
    """The bad days within the window, oldest first."""
    needed: int
    of: int
    standing: bool
    """Whether the newest day is one of them."""
    persistent: bool
    """Whether, besides, as many of the last days were bad as the rule requires."""
    value: float
    low: float | None = None
    high: float | None = None
    expected: float | None = None
    threshold: float
    rows: int

    @property
    def of_segment(self) -> bool:
        """Return whether the finding is about a segment of the lists, and not all of them."""
        return self.subject != ALL and self.role in {"performance", "concept"}


def has_value(value: float | None) -> bool:
    """Return whether there is a finite figure."""
    return value is not None and math.isfinite(value)


def importance_shares(features: Iterable[str], importance: Mapping[str, float]) -> dict[str, float]:
    """Return each feature's share of the importance of all of these; equal shares where no importance is known."""
    given = {name: max(importance.get(name, 0.0), 0.0) for name in sorted(features)}
    total = sum(given.values())
    return {name: weight / total if total else 1 / len(given) for name, weight in given.items()}
