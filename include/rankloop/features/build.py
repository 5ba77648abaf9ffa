"""Builds a day: its aggregates from its events, then the features as of its end. What Airflow's tasks call.

Each function is a task: it reads the lake, replaces one partition of each of its tables whole, and gives back facts.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir

from rankloop.calendar import days_between
from rankloop.contracts.lake import BUYERS, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.errors import RankloopError, TransientError
from rankloop.features.catalogue import AS_OF, DAILY
from rankloop.features.declare import Made
from rankloop.features.engine import Engine, open_engine
from rankloop.features.events import Events
from rankloop.features.history import History
from rankloop.lake.tables import Lake, Written
from rankloop.settings import Settings, variable

log = logging.getLogger(__name__)

OnTable = Callable[[Written], None]
"""Called after each table, to show progress."""
AGGREGATED = DAILY[0].shape.name
"""The table whose days say which are aggregated."""
DAILY_SCHEMAS = {made.shape.name: made.shape.schema for made in DAILY}


class FeatureError(RankloopError):
    """A day that no features can be made of."""


class DaysMissingError(TransientError):
    """Earlier days are not aggregated; they may be under way, as in a backfill."""


@dataclass(frozen=True)
class Facts:
    """What a task made, and of which days."""

    day: date
    days: tuple[date, ...]
    tables: tuple[Written, ...]

    def summary(self) -> dict[str, Any]:
        """The facts as JSON has them."""
        return {
            "day": self.day.isoformat(),
            "days": [day.isoformat() for day in self.days],
            "tables": {
                written.table: {"version": written.version, "rows": written.rows, "digest": written.digest}
                for written in self.tables
            },
        }


def lake_of(settings: Settings) -> Lake:
    """The lake of these settings."""
    return Lake(settings.lake_root)


def aggregate_day(settings: Settings, day: date, on_table: OnTable = lambda _: None) -> Facts:
    """Make `daily/*` of a day from its events."""
    lake = lake_of(settings)
    with open_engine(settings) as engine:
        events = Events(
            day=day,
            zone=settings.zone,
            settings=settings.features,
            shown=_events(engine, lake, SHOWN, day),
            # A small shop may have a day without any.
            reactions=engine.read(lake.files(REACTIONS, [day]), EVENT_SCHEMAS[REACTIONS]),
            listed=_events(engine, lake, PRODUCTS, day),
            keep=engine.keep,
        )
        return Facts(day, (day,), tuple(_make(engine, lake, DAILY, events, on_table)))


def build_features(settings: Settings, day: date, on_table: OnTable = lambda _: None) -> Facts:
    """Make `features/*` as of the end of a day from the `daily/*` of the days up to it."""
    lake = lake_of(settings)
    days = window(settings, lake, day)
    with open_engine(settings) as engine:

        def read(table: str) -> ir.Table:
            return engine.read(lake.files(table, days), DAILY_SCHEMAS[table])

        history = History(
            days=tuple(days),
            zone=settings.zone,
            settings=settings.features,
            listed=_events(engine, lake, PRODUCTS, day),
            registered=_events(engine, lake, BUYERS, day),
            read=read,
            keep=engine.keep,
        )
        return Facts(day, tuple(days), tuple(_make(engine, lake, AS_OF, history, on_table)))


def may_build(settings: Settings, day: date, begun: date | None) -> bool:
    """Whether every day is aggregated that features as of this one look back on, given when events began.

    The lake alone cannot tell: a day that is built before all others looks like the first there ever was.
    """
    aggregated = set(lake_of(settings).days(AGGREGATED))
    first = _first_of_window(settings, day)
    missing = [d for d in days_between(max(first, begun or first), day) if d not in aggregated]
    if missing and not settings.features.allow_gaps:
        log.info("%s", _lacks(settings, day, missing))
    return not missing or settings.features.allow_gaps


def window(settings: Settings, lake: Lake, day: date) -> list[date]:
    """The days that features as of this day look back on: those of the window that have happened in this lake."""
    aggregated = set(lake.days(AGGREGATED))
    first = _first_of_window(settings, day)
    begun = [d for d in days_between(first, day) if d in aggregated or any(a < d for a in aggregated)]
    missing = [d for d in {*begun, day} if d not in aggregated]
    if day in missing or (missing and not settings.features.allow_gaps):
        raise DaysMissingError(_lacks(settings, day, missing))
    return [d for d in begun if d in aggregated]


def _first_of_window(settings: Settings, day: date) -> date:
    return day - timedelta(days=settings.features.window_days - 1)


def _lacks(settings: Settings, day: date, missing: Iterable[date]) -> str:
    return (
        f"features {day} look back on {settings.features.window_days} days, but {AGGREGATED} lacks "
        f"{', '.join(str(d) for d in sorted(missing))}. Aggregate those days first (run daily_features for them, or "
        f"clear their task), or, if nothing ever happened on them, set {variable('features.allow_gaps')}=true."
    )


def _events(engine: Engine, lake: Lake, table: str, day: date) -> ir.Table:
    files = lake.files(table, [day])
    if not files:
        raise FeatureError(f"{table} has no {day}. Extract and clean that day first (clear its tasks).")
    return engine.read(files, EVENT_SCHEMAS[table])


def _make(
    engine: Engine, lake: Lake, tables: Iterable[Made], source: Events | History, on_table: OnTable
) -> Iterable[Written]:
    for made in tables:
        written = engine.write(lake, made.shape, made.make(source), source.day)
        on_table(written)
        yield written
