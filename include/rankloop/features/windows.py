"""Sums over windows that end with a day, decay by age, rates and trends."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

import ibis
import ibis.expr.types as ir

from rankloop.contracts.lake import DAY

LONGEST = 28
WEEK = 7
AGE = "age"
"""How many days a row lies before the as-of day; 0 is that day itself."""

TREND_PRIOR = 0.5
"""Events a day that are added on both sides, so that a trend of few events stays near 1."""

DECAY_UNIT = 1 << 16
"""Decay factors are whole numbers of this unit: exact sums, and the same ones on every engine."""


class WindowDays(Protocol):
    """The days of a window that the lake has."""

    @property
    def day(self) -> date:
        """Return the last of them."""

    @property
    def days(self) -> Sequence[date]:
        """Return all of them."""


def with_age(daily: ir.Table, day: date) -> ir.Table:
    """Add to rows of `daily/*` their age as of the end of this day."""
    return daily.mutate(**{AGE: ibis.date(day).delta(daily[DAY], unit="day")})


def window_sum(daily: ir.Table, column: str, days: int) -> ir.IntegerScalar:
    """Sum a column over the last days."""
    if days >= LONGEST:
        return daily[column].sum()
    return daily[column].sum(where=daily[AGE] < days).fill_null(0)


def decayed_sum(daily: ir.Table, weight: ir.IntegerValue, half_life: float) -> ir.IntegerScalar:
    """Sum weights with exponential decay by age; in weight units times DECAY_UNIT."""
    factors = [round(2 ** (-age / half_life) * DECAY_UNIT) for age in range(LONGEST)]
    return (weight * daily[AGE].cases(*enumerate(factors), else_=0)).sum()


def days_since(daily: ir.Table, happened: ir.BooleanValue) -> ir.IntegerScalar:
    """Return how many days before the as-of day it last happened: 0 is on the day itself, null is never."""
    return daily[AGE].min(where=happened)


def ratio(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """Divide, with null where the divisor is 0."""
    return part / whole.nullif(0)


def smoothed_rate(
    part: ir.NumericValue, whole: ir.NumericValue, prior: ir.NumericValue, strength: float
) -> ir.FloatingValue:
    """Smooth a rate towards a prior, as if the prior had been observed `strength` times."""
    return (part + prior * strength) / (whole + strength)


def trend(last_week: ir.IntegerValue, earlier: ir.IntegerValue, history: WindowDays) -> ir.FloatingValue:
    """Divide the daily mean of the last week by that of the weeks before, smoothed towards 1.

    Only days that the lake has count: in a young lake the weeks before are short, or there are none.
    """
    recent = sum((history.day - day).days < WEEK for day in history.days)
    before = len(history.days) - recent
    if not before:
        return ibis.literal(1.0)
    return (last_week / recent + TREND_PRIOR) / (earlier / before + TREND_PRIOR)
