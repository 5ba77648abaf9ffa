"""Builds a day: its aggregates from its events, then the features as of its end. What Airflow's tasks call.

Each of `aggregate_day` and `build_features` reads the lake, replaces one partition of each of its tables whole, and
returns what it wrote. Both are idempotent.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from rankloop.calendar import days_between, first_of
from rankloop.contracts.lake import AGGREGATED, BUYERS, CLEANED, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.engine.protocol import Engine
from rankloop.errors import RankloopError, TransientError
from rankloop.features.catalogue import load_catalogue
from rankloop.features.declarations import TableBuilder
from rankloop.features.definitions import table_definitions
from rankloop.features.events import Events
from rankloop.features.history import FeatureHistory
from rankloop.features.partitions import require_one_definition, table_columns
from rankloop.lake.commits import WriteResult
from rankloop.lake.day_facts import read_facts, write_facts
from rankloop.lake.tables import Lake
from rankloop.settings import variable
from rankloop.settings.features import FeatureSettings

log = logging.getLogger(__name__)

OnTable = Callable[[WriteResult], None]
"""Called after each table, to show progress."""


class FeatureError(RankloopError):
    """A day that no features can be made of."""


class MissingAggregatesError(TransientError):
    """Earlier days are not aggregated; they may be under way, as in a backfill."""


@dataclass(frozen=True)
class BuildResult:
    """What a task wrote, and from which days."""

    day: date
    days: tuple[date, ...]
    tables: tuple[WriteResult, ...]

    def summary(self) -> dict[str, Any]:
        """Return the same as JSON has it."""
        return {
            "day": self.day.isoformat(),
            "days": [day.isoformat() for day in self.days],
            "tables": {
                written.table: {"version": written.version, "rows": written.rows, "digest": written.digest}
                for written in self.tables
            },
        }


def aggregate_day(  # noqa: PLR0913, PLR0917  (what a task has open, and its day)
    lake: Lake,
    engine: Engine,
    settings: FeatureSettings,
    zone: ZoneInfo,
    day: date,
    on_table: OnTable = lambda _: None,
) -> BuildResult:
    """Write `daily/*` of a day from its events."""
    _require_cleaned(lake, day)
    # If this is cut short, the day has tables of two kinds, and must not count as aggregated though it was before.
    write_facts(lake, AGGREGATED, day, {"day": day.isoformat(), "complete": False})
    events = Events(
        day=day,
        zone=zone,
        settings=settings,
        shown=_events(engine, lake, SHOWN, day),
        reactions=_events(engine, lake, REACTIONS, day),
        listed=_events(engine, lake, PRODUCTS, day),
        materialise=engine.materialise,
    )
    tables = load_catalogue(settings).daily
    result = BuildResult(day, (day,), tuple(_write_tables(engine, lake, tables, events, on_table)))
    write_facts(lake, AGGREGATED, day, {**result.summary(), "complete": True})
    return result


def build_features(  # noqa: PLR0913, PLR0917  (likewise)
    lake: Lake,
    engine: Engine,
    settings: FeatureSettings,
    zone: ZoneInfo,
    day: date,
    on_table: OnTable = lambda _: None,
) -> BuildResult:
    """Write `features/*` as of the end of a day from the `daily/*` of the days up to it."""
    _require_cleaned(lake, day)
    days, catalogue = window_days(lake, settings, day), load_catalogue(settings)
    schemas = {builder.spec.name: builder.spec.schema for builder in catalogue.daily}
    require_one_definition(lake, settings, table_columns(catalogue.daily), days, f"features as of {day}")

    def read(table: str) -> ir.Table:
        return engine.read(lake.files(table, days), schemas[table])

    history = FeatureHistory(
        days=tuple(days),
        zone=zone,
        settings=settings,
        listed=_events(engine, lake, PRODUCTS, day),
        registered=_events(engine, lake, BUYERS, day),
        read=read,
        materialise=engine.materialise,
    )
    # A join asks for features/product, so that comes last.
    return BuildResult(
        day, tuple(days), tuple(_write_tables(engine, lake, reversed(catalogue.as_of), history, on_table))
    )


def window_is_complete(lake: Lake, settings: FeatureSettings, day: date, begun: date | None) -> bool:
    """Whether every day is aggregated that features as of this one look back on, given when events began.

    The lake alone cannot tell: a day that is built before all others looks like the first there ever was.
    """
    first = first_of(settings.window_days, day)
    wanted = list(days_between(max(first, begun or first), day))
    aggregated = _aggregated(lake, wanted)
    missing = [d for d in wanted if d not in aggregated]
    if missing and not settings.allow_gaps:
        log.info("%s", _lacks(settings, day, missing))
    return not missing or settings.allow_gaps


def window_days(lake: Lake, settings: FeatureSettings, day: date) -> list[date]:
    """Return the days that features as of this day look back on: those of the window since this lake began."""
    started = lake.days(AGGREGATED)
    begun = [d for d in days_between(first_of(settings.window_days, day), day) if started and d >= started[0]]
    aggregated = _aggregated(lake, begun)
    missing = [d for d in {*begun, day} if d not in aggregated]
    if day in missing or (missing and not settings.allow_gaps):
        raise MissingAggregatesError(_lacks(settings, day, missing))
    return [d for d in begun if d in aggregated]


def _aggregated(lake: Lake, days: Iterable[date]) -> set[date]:
    """Return those of these days that are aggregated whole."""
    return {date.fromisoformat(facts["day"]) for facts in read_facts(lake, AGGREGATED, days) if facts["complete"]}


def _lacks(settings: FeatureSettings, day: date, missing: Iterable[date]) -> str:
    return (
        f"features {day} look back on {settings.window_days} days, but daily/* lacks "
        f"{', '.join(str(d) for d in sorted(missing))}. Aggregate those days first (run daily_features for them, or "
        f"clear their task), or, if their events are lost, set {variable('features.allow_gaps')}=true (`make stop`, "
        "`make start`)."
    )


def _require_cleaned(lake: Lake, day: date) -> None:
    if day not in lake.days(CLEANED):
        raise FeatureError(f"{day} was not cleaned yet. Extract and clean that day first (clear its tasks).")


def _events(engine: Engine, lake: Lake, table: str, day: date) -> ir.Table:
    """Return a cleaned day's events, of which there may be none: a small shop may be closed for a day."""
    return engine.read(lake.files(table, [day]), EVENT_SCHEMAS[table])


def _write_tables(
    engine: Engine, lake: Lake, builders: Iterable[TableBuilder], source: Events | FeatureHistory, on_table: OnTable
) -> Iterable[WriteResult]:
    known = table_definitions(source.settings, source.zone)
    for builder in builders:
        definitions = known[builder.spec.name]
        written = engine.write(lake, builder.spec, builder.build(source), source.day, definitions)
        on_table(written)
        yield written
