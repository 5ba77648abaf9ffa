"""Looking back from the end of a day: windows, decay by age, and how long ago."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

import ibis
import ibis.expr.types as ir

from rankloop.contracts.lake import DAY

LONGEST = 28
WEEK = 7
AGE = "age"
"""How many days before the day in question a row belongs to; 0 is that day itself."""

TREND_PRIOR = 0.5
"""So many events a day that a trend of few events stays near 1."""

DECAY_UNIT = 1 << 16
"""Decay factors are whole numbers of this unit: exact sums, and the same ones on every engine."""


class Span(Protocol):
    """The days that a window really has."""

    @property
    def day(self) -> date:
        """The last of them."""

    @property
    def days(self) -> Sequence[date]:
        """All of them."""


def with_age(daily: ir.Table, day: date) -> ir.Table:
    """The rows of `daily/*` with their age as of the end of this day."""
    return daily.mutate(**{AGE: ibis.date(day).delta(daily[DAY], unit="day")})


def total(daily: ir.Table, column: str, days: int) -> ir.IntegerScalar:
    """Return the sum of a column over the last days of the window."""
    if days >= LONGEST:
        return daily[column].sum()
    return daily[column].sum(where=daily[AGE] < days).fill_null(0)


def decayed(daily: ir.Table, weight: ir.IntegerValue, half_life: float) -> ir.IntegerScalar:
    """The sum of weights, each halved for every half-life that has passed; in weight units times DECAY_UNIT."""
    factors = [round(2 ** (-age / half_life) * DECAY_UNIT) for age in range(LONGEST)]
    return (weight * daily[AGE].cases(*enumerate(factors), else_=0)).sum()


def days_since(daily: ir.Table, happened: ir.BooleanValue) -> ir.IntegerScalar:
    """How many days before the end of the day it last happened: 0 is on the day itself, nothing is never."""
    return daily[AGE].min(where=happened)


def ratio(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """The part in the whole, nothing where there is no whole."""
    return part / whole.nullif(0)


def smoothed(
    part: ir.NumericValue, whole: ir.NumericValue, prior: ir.NumericValue, strength: float
) -> ir.FloatingValue:
    """A rate pulled towards the prior as if the prior had been seen `strength` times."""
    return (part + prior * strength) / (whole + strength)


def trend(last_week: ir.IntegerValue, earlier: ir.IntegerValue, history: "Span") -> ir.FloatingValue:
    """A day of the last week by one of the weeks before, pulled towards 1, where few events leave it.

    A day is one that the lake has: in a young lake the weeks before are short, or there are none.
    """
    recent = sum((history.day - day).days < WEEK for day in history.days)
    before = len(history.days) - recent
    if not before:
        return ibis.literal(1.0)
    return (last_week / recent + TREND_PRIOR) / (earlier / before + TREND_PRIOR)
