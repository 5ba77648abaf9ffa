"""What a day's events are like against what is usual for them: a source gone quiet, a column gone empty, a unit lost.

`value` is the day's, `expected` the median of the same weekday in the weeks before, or of the last days where there are
too few weeks; `low` and `high` are the range of usual days, and a value outside of it is worth a look. Where history is
too short all three are empty. Rows, quarantine, nulls and distinct values are what cleaning noted of the day. Quantiles
are looked up in the events, and two shares that a wrong unit cannot hide from: `jumped`, products whose price is a
hundred times what it was in the snapshot before, or a hundredth, which shows on the day of the change; and `off_scale`,
those priced at fifty times the median of their category, or a fiftieth, which shows for as long as usual days are
right. Where either share is beyond usual, rows with the signal `shop` say which shops hold most of such prices; nothing
is judged by them. The largest tables are read in part: the same buyers or products every day.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from rankloop.calendar import days_between
from rankloop.context import Context
from rankloop.contracts.lake import CLEANED, EVENT_SCHEMAS, PRODUCTS
from rankloop.contracts.sources import SOURCES
from rankloop.engine.protocol import Engine
from rankloop.events.checks import weeks_before
from rankloop.events.summaries import DaySummary, SourceSummary, day_summaries
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.baseline import FEWEST, baseline_of
from rankloop.monitoring.measure.measurements import Measurement, write_measurements
from rankloop.monitoring.measure.tables import CATALOGUES, QUALITY

RECENT_DAYS = 7
READ_ROWS = 1 << 20
"""Rows of a day that quantiles are taken of, about."""
QUANTILES = {"p05": 0.05, "median": 0.5, "p95": 0.95}
LEVELS = {
    "impressions": ("account_id", ("position", "base_score")),
    "interactions": ("account_id", ("price", "quantity")),
    "products": ("product_id", ("original_price", "final_price")),
    "buyers": ("account_id", ("total_order", "total_rating")),
}
"""By source, by whose number it is read in part, and the columns whose level is watched."""
PRICE = "final_price"
PRICES = f"products.{PRICE}"
JUMP, FAR = 100, 50
OFF_SCALE, JUMPED = "off_scale", "jumped"
SHOP = "shop"
"""The signal of what one shop's prices are like; the shop follows the measure, as in `jumped 200123`."""
MOST_SHOPS, LEAST_PART = 3, 0.1
"""Shops that are named at most, and the part of all such prices below which one is not."""
SNAPSHOT_DAYS = 7
"""How long ago the snapshot before may be."""

QUARANTINED = "quarantined_share"

Key = tuple[str, str, str]
"""Signal, subject and measure."""
Figures = dict[Key, tuple[float, int]]
"""The values of a day, each with how many rows stand behind it."""


@dataclass(frozen=True)
class DayWithBaseline:
    """A day, and the days that it is compared with."""

    day: date
    weekdays: tuple[date, ...]
    recent: tuple[date, ...]

    @property
    def all(self) -> list[date]:
        """Each of them once, oldest first."""
        return sorted({self.day, *self.weekdays, *self.recent})


def measure_quality(context: Context, day: date) -> dict[str, Any]:
    """Write what a day's events are like, beside the baseline, or return why that cannot be known."""
    lake, engine = context.lake, context.engine
    days = _with_baseline(lake, day, context.settings.cleaning.usual_weeks)
    facts = {date.fromisoformat(one.day): one for one in day_summaries(lake, days.all)}
    if day not in facts:
        return {"skipped": f"the events of {day} are not in the lake"}
    found = {one: _of_facts(known) for one, known in facts.items()}
    for one, known in facts.items():
        found[one] |= _of_rows(engine, lake, one, known)
    held = list(_held_against(days, found))
    held += _of_shops(held, _marked(engine, lake, day, facts[day]), engine, days, found)
    return write_measurements(lake, QUALITY, day, held)


def _with_baseline(lake: Lake, day: date, weeks: int) -> DayWithBaseline:
    there = set(lake.days(CLEANED))
    recent = days_between(day - timedelta(days=RECENT_DAYS), day - timedelta(days=1))
    weekdays = (one for one in weeks_before(day, weeks) if one in there)
    return DayWithBaseline(day, tuple(weekdays), tuple(one for one in recent if one in there))


def _held_against(days: DayWithBaseline, found: Mapping[date, Figures]) -> Iterator[Measurement]:
    """Each figure of the day beside what is usual for it."""
    for key in sorted({key for figures in found.values() for key in figures}):
        value, rows = found[days.day].get(key, _absent(key))
        known = baseline_of(_kind(key), _history(days, found, key), max(rows, 1))
        low, high, expected = (known.low, known.high, known.value) if known else (None, None, None)
        yield Measurement(*key, value, low, high, expected, rows)


def _history(days: DayWithBaseline, found: Mapping[date, Figures], key: Key) -> list[float]:
    """What a figure was on the same weekdays, or where those are too few, on the last days."""
    weekdays, recent = (
        [value for one in some if one in found and math.isfinite(value := found[one].get(key, _absent(key))[0])]
        for some in (days.weekdays, days.recent)
    )
    return weekdays if len(weekdays) >= FEWEST else recent


def _absent(key: Key) -> tuple[float, int]:
    """What a figure is that other days have and this one lacks: a reason that rejected nothing, or nothing known."""
    return (0.0 if key[2].startswith(QUARANTINED) else math.nan), 0


def _kind(key: Key) -> str:
    _, source, measure = key
    if measure in {"rows", "distinct"}:
        # What a catalogue holds is held tomorrow as well; chance has no part in it.
        return "level" if source in CATALOGUES else "count"
    return "level" if measure in QUANTILES else "share"


# What cleaning noted


def _of_facts(facts: DaySummary) -> Figures:
    figures: Figures = {}
    for source in SOURCES:
        # A source that a day lacks altogether has gone quiet as well.
        known = facts.sources.get(source) or SourceSummary(SOURCES[source].table, 0, 0, 0, 0)
        judged = known.rows_in - known.left_out
        figures["source", source, "rows"] = (known.rows, known.rows)
        figures["source", source, QUARANTINED] = (known.quarantined / max(judged, 1), judged)
        for reason, count in known.reasons.items():
            figures["source", source, f"{QUARANTINED} {reason}"] = (count / max(judged, 1), judged)
        for column, profile in known.profile.items():
            for measure in ("nulls", "distinct"):
                if measure in profile:
                    figures["column", f"{source}.{column}", measure] = (float(profile[measure]), known.rows)
    return figures


# What the events say


def _of_rows(engine: Engine, lake: Lake, day: date, facts: DaySummary) -> Figures:
    figures: Figures = {}
    for source, (by, columns) in LEVELS.items():
        rows = _some(engine, lake, SOURCES[source].table, by, facts)
        figures |= _quantiles(engine, rows, source, columns)
    for measure, marked in _marked(engine, lake, day, facts).items():
        figures |= _shares(engine, measure, marked)
    return figures


def _marked(engine: Engine, lake: Lake, day: date, facts: DaySummary) -> dict[str, ir.Table]:
    """By measure, the day's products whose price can be told to be off or not: the shop, and whether it is a `hit`."""
    goods = _some(engine, lake, PRODUCTS, LEVELS["products"][0], facts)
    marked = {OFF_SCALE: _off_scale(goods)}
    if before := _snapshot_before(lake, day):
        former = engine.read(lake.files(PRODUCTS, [before]), EVENT_SCHEMAS[PRODUCTS])
        marked[JUMPED] = _jumped(goods, former)
    return marked


def _some(engine: Engine, lake: Lake, table: str, by: str, facts: DaySummary) -> ir.Table:
    """The day's rows of a table, or those of every so-manieth buyer or product."""
    rows = engine.read(lake.files(table, [date.fromisoformat(facts.day)]), EVENT_SCHEMAS[table])
    count = max((one.rows for one in facts.sources.values() if one.table == table), default=0)
    return rows.filter(rows[by] % many == 0) if (many := -(-count // READ_ROWS)) > 1 else rows


def _quantiles(engine: Engine, rows: ir.Table, source: str, columns: Sequence[str]) -> Figures:
    asked = {
        f"{column} {name}": rows[column].quantile(share) for column in columns for name, share in QUANTILES.items()
    }
    counts = {f"{column} rows": rows[column].count() for column in columns}
    schema = pa.schema([*((name, pa.float64()) for name in asked), *((name, pa.int64()) for name in counts)])
    [found] = engine.batches(rows.aggregate(**asked, **counts), schema).read_all().to_pylist()
    return {
        ("column", f"{source}.{column}", name): (found[f"{column} {name}"], found[f"{column} rows"])
        for column in columns
        for name in QUANTILES
        if found[f"{column} rows"]
    }


def _shares(engine: Engine, measure: str, marked: ir.Table) -> Figures:
    """The share of rows that are `hit`, of those that can be told."""
    schema = pa.schema({"hits": pa.int64(), "rows": pa.int64()})
    told = marked.aggregate(hits=marked["hit"].cast("int64").sum().fill_null(0), rows=marked.count())
    [found] = engine.batches(told, schema).read_all().to_pylist()
    if not found["rows"]:
        return {}
    return {("column", PRICES, measure): (found["hits"] / found["rows"], found["rows"])}


def _off_scale(goods: ir.Table) -> ir.Table:
    middle = goods.group_by("category_path").agg(middle=goods[PRICE].median())
    known = goods.join(middle, "category_path")
    return known.select("shop_id", hit=_apart(known[PRICE], known["middle"], FAR))


def _jumped(goods: ir.Table, former: ir.Table) -> ir.Table:
    then = former.select("product_id", before=former[PRICE])
    known = goods.select("product_id", "shop_id", PRICE).join(then, "product_id")
    return known.select("shop_id", hit=_apart(known[PRICE], known["before"], JUMP))


def _apart(price: ir.NumericValue, other: ir.NumericValue, factor: int) -> ir.BooleanValue:
    """Whether one is at least so many times the other."""
    dearer, cheaper = ibis.greatest(price, other), ibis.least(price, other)
    return dearer >= cheaper * factor


def _snapshot_before(lake: Lake, day: date) -> date | None:
    first = day - timedelta(days=SNAPSHOT_DAYS)
    return max((one for one in lake.days(PRODUCTS) if first <= one < day), default=None)


# Which shops


def _of_shops(
    held: Sequence[Measurement],
    marked: Mapping[str, ir.Table],
    engine: Engine,
    days: DayWithBaseline,
    found: Mapping[date, Figures],
) -> Iterator[Measurement]:
    """Of prices that are off more often than usual, the shops that hold most of them.

    `expected`, `low` and `high` are of a shop of that size in which such prices are as frequent as they usually are.
    """
    for one in held:
        if one.subject == PRICES and one.measure in marked and one.high is not None and one.value > one.high:
            history = _history(days, found, (one.signal, one.subject, one.measure))
            hits = round(one.value * one.rows)
            yield from _named(_by_shop(engine, marked[one.measure]), one.measure, history, hits)


def _by_shop(engine: Engine, marked: ir.Table) -> list[dict[str, int]]:
    """The shops that have hits, with how many and of how many products; those with most hits first."""
    schema = pa.schema({"shop_id": pa.int64(), "hits": pa.int64(), "rows": pa.int64()})
    told = marked.group_by("shop_id").aggregate(
        hits=marked["hit"].cast("int64").sum().fill_null(0), rows=marked.count()
    )
    some: list[dict[str, int]] = engine.batches(told.filter(told["hits"] > 0), schema).read_all().to_pylist()
    return sorted((one for one in some if one["shop_id"] is not None), key=lambda one: (-one["hits"], one["shop_id"]))


def _named(
    shops: Sequence[Mapping[str, int]], measure: str, history: Sequence[float], hits: int
) -> Iterator[Measurement]:
    """Those beyond what is usual; none where so few do not hold most of the hits, for then it sits elsewhere."""
    beyond, theirs = [], 0
    for shop in shops[:MOST_SHOPS]:
        known, value = baseline_of("share", history, shop["rows"]), shop["hits"] / shop["rows"]
        if known and value > known.high and shop["hits"] >= LEAST_PART * hits:
            name = f"{measure} {shop['shop_id']}"
            beyond.append(Measurement(SHOP, PRICES, name, value, known.low, known.high, known.value, shop["rows"]))
            theirs += shop["hits"]
    if 2 * theirs > hits:
        yield from beyond
