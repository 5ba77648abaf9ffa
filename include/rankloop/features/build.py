"""Builds a day: its aggregates from its events, then the features as of its end. What Airflow's tasks call.

Each function is a task: it reads the lake, replaces one partition of each of its tables whole, and gives back facts.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis.expr.types as ir

from rankloop.calendar import days_between, first_of
from rankloop.contracts.lake import AGGREGATED, BUYERS, CLEANED, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.engine.opening import open_engine
from rankloop.engine.protocol import Engine
from rankloop.errors import RankloopError, TransientError
from rankloop.features.catalogue import AS_OF, DAILY
from rankloop.features.declarations import Made
from rankloop.features.events import Events
from rankloop.features.history import History
from rankloop.lake.facts import read_facts, write_facts
from rankloop.lake.tables import Lake, Written
from rankloop.settings import Settings, variable

log = logging.getLogger(__name__)

OnTable = Callable[[Written], None]
"""Called after each table, to show progress."""
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
    _refuse_unclean(lake, day)
    # If this is cut short, the day has tables of two kinds, and must not count as aggregated though it was before.
    write_facts(lake, AGGREGATED, day, {"day": day.isoformat(), "complete": False})
    with open_engine(settings.features) as engine:
        events = Events(
            day=day,
            zone=settings.zone,
            settings=settings.features,
            shown=_events(engine, lake, SHOWN, day),
            reactions=_events(engine, lake, REACTIONS, day),
            listed=_events(engine, lake, PRODUCTS, day),
            materialise=engine.materialise,
        )
        facts = Facts(day, (day,), tuple(_make(engine, lake, DAILY, events, on_table)))
    write_facts(lake, AGGREGATED, day, {**facts.summary(), "complete": True})
    return facts


def build_features(settings: Settings, day: date, on_table: OnTable = lambda _: None) -> Facts:
    """Make `features/*` as of the end of a day from the `daily/*` of the days up to it."""
    lake = lake_of(settings)
    _refuse_unclean(lake, day)
    days = window(settings, lake, day)
    with open_engine(settings.features) as engine:

        def read(table: str) -> ir.Table:
            return engine.read(lake.files(table, days), DAILY_SCHEMAS[table])

        history = History(
            days=tuple(days),
            zone=settings.zone,
            settings=settings.features,
            listed=_events(engine, lake, PRODUCTS, day),
            registered=_events(engine, lake, BUYERS, day),
            read=read,
            materialise=engine.materialise,
        )
        # Who joins lists asks for features/product, so that comes last.
        return Facts(day, tuple(days), tuple(_make(engine, lake, reversed(AS_OF), history, on_table)))


def may_build(settings: Settings, day: date, begun: date | None) -> bool:
    """Whether every day is aggregated that features as of this one look back on, given when events began.

    The lake alone cannot tell: a day that is built before all others looks like the first there ever was.
    """
    first = first_of(settings.features.window_days, day)
    wanted = list(days_between(max(first, begun or first), day))
    aggregated = _aggregated(lake_of(settings), wanted)
    missing = [d for d in wanted if d not in aggregated]
    if missing and not settings.features.allow_gaps:
        log.info("%s", _lacks(settings, day, missing))
    return not missing or settings.features.allow_gaps


def window(settings: Settings, lake: Lake, day: date) -> list[date]:
    """The days that features as of this day look back on: those of the window that have happened in this lake."""
    started = lake.days(AGGREGATED)
    begun = [d for d in days_between(first_of(settings.features.window_days, day), day) if started and d >= started[0]]
    aggregated = _aggregated(lake, begun)
    missing = [d for d in {*begun, day} if d not in aggregated]
    if day in missing or (missing and not settings.features.allow_gaps):
        raise DaysMissingError(_lacks(settings, day, missing))
    return [d for d in begun if d in aggregated]


def _aggregated(lake: Lake, days: Iterable[date]) -> set[date]:
    """Those of these days that are aggregated whole."""
    return {date.fromisoformat(facts["day"]) for facts in read_facts(lake, AGGREGATED, days) if facts["complete"]}


def _lacks(settings: Settings, day: date, missing: Iterable[date]) -> str:
    return (
        f"features {day} look back on {settings.features.window_days} days, but daily/* lacks "
        f"{', '.join(str(d) for d in sorted(missing))}. Aggregate those days first (run daily_features for them, or "
        f"clear their task), or, if their events are lost, set {variable('features.allow_gaps')}=true (`make stop`, "
        "`make start`)."
    )


def _refuse_unclean(lake: Lake, day: date) -> None:
    if day not in lake.days(CLEANED):
        raise FeatureError(f"{day} was not cleaned yet. Extract and clean that day first (clear its tasks).")


def _events(engine: Engine, lake: Lake, table: str, day: date) -> ir.Table:
    """A cleaned day's events, of which there may be none: a small shop may be closed for a day."""
    return engine.read(lake.files(table, [day]), EVENT_SCHEMAS[table])


def _make(
    engine: Engine, lake: Lake, tables: Iterable[Made], source: Events | History, on_table: OnTable
) -> Iterable[Written]:
    for made in tables:
        written = engine.write(lake, made.shape, made.make(source), source.day)
        on_table(written)
        yield written
