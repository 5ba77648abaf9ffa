"""Measures data quality against the baseline: a source gone quiet, a column gone empty, another unit.

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
        """Return each of the days once, oldest first."""
        return sorted({self.day, *self.weekdays, *self.recent})


def measure_quality(context: Context, day: date) -> dict[str, Any]:
    """Write what a day's events are like, beside the baseline, or return why that cannot be known."""
    lake, engine = context.lake, context.engine
    days = _with_baseline(lake, day, context.settings.cleaning.usual_weeks)
    summaries = {date.fromisoformat(other.day): other for other in day_summaries(lake, days.all)}
    if day not in summaries:
        return {"skipped": f"the events of {day} are not in the lake"}
    figures = {other: _of_facts(summary) for other, summary in summaries.items()}
    for other, summary in summaries.items():
        figures[other] |= _of_rows(engine, lake, other, summary)
    measurements = list(_held_against(days, figures))
    measurements += _of_shops(measurements, _marked(engine, lake, day, summaries[day]), engine, days, figures)
    return write_measurements(lake, QUALITY, day, measurements)


def _with_baseline(lake: Lake, day: date, weeks: int) -> DayWithBaseline:
    cleaned = set(lake.days(CLEANED))
    recent = days_between(day - timedelta(days=RECENT_DAYS), day - timedelta(days=1))
    weekdays = (other for other in weeks_before(day, weeks) if other in cleaned)
    return DayWithBaseline(day, tuple(weekdays), tuple(other for other in recent if other in cleaned))


def _held_against(days: DayWithBaseline, by_day: Mapping[date, Figures]) -> Iterator[Measurement]:
    """Yield each figure of the day beside what is usual for it."""
    for key in sorted({key for figures in by_day.values() for key in figures}):
        value, rows = by_day[days.day].get(key, _absent(key))
        baseline = baseline_of(_kind(key), _history(days, by_day, key), max(rows, 1))
        low, high, expected = (baseline.low, baseline.high, baseline.value) if baseline else (None, None, None)
        yield Measurement(*key, value, low, high, expected, rows)


def _history(days: DayWithBaseline, by_day: Mapping[date, Figures], key: Key) -> list[float]:
    """Return a figure's values on the same weekdays, or on the last days where the weekdays are too few."""
    weekdays, recent = (
        [
            value
            for other in days_to_use
            if other in by_day and math.isfinite(value := by_day[other].get(key, _absent(key))[0])
        ]
        for days_to_use in (days.weekdays, days.recent)
    )
    return weekdays if len(weekdays) >= FEWEST else recent


def _absent(key: Key) -> tuple[float, int]:
    """Return the value and rows of a figure that this day lacks: 0 for a reason that rejected nothing, else NaN."""
    return (0.0 if key[2].startswith(QUARANTINED) else math.nan), 0


def _kind(key: Key) -> str:
    _, source, measure = key
    if measure in {"rows", "distinct"}:
        # What a catalogue holds is held tomorrow as well; chance has no part in it.
        return "level" if source in CATALOGUES else "count"
    return "level" if measure in QUANTILES else "share"


# What cleaning noted


def _of_facts(summary: DaySummary) -> Figures:
    figures: Figures = {}
    for source in SOURCES:
        # A source that a day lacks altogether has gone quiet as well.
        of_source = summary.sources.get(source) or SourceSummary(SOURCES[source].table, 0, 0, 0, 0)
        judged = of_source.rows_in - of_source.left_out
        figures["source", source, "rows"] = (of_source.rows, of_source.rows)
        figures["source", source, QUARANTINED] = (of_source.quarantined / max(judged, 1), judged)
        for reason, count in of_source.reasons.items():
            figures["source", source, f"{QUARANTINED} {reason}"] = (count / max(judged, 1), judged)
        for column, profile in of_source.profile.items():
            for measure in ("nulls", "distinct"):
                if measure in profile:
                    figures["column", f"{source}.{column}", measure] = (float(profile[measure]), of_source.rows)
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
    """Return, by measure, the shop of each product whose price can be checked, and whether it is a `hit`."""
    goods = _some(engine, lake, PRODUCTS, LEVELS["products"][0], facts)
    marked = {OFF_SCALE: _off_scale(goods)}
    if before := _snapshot_before(lake, day):
        former = engine.read(lake.files(PRODUCTS, [before]), EVENT_SCHEMAS[PRODUCTS])
        marked[JUMPED] = _jumped(goods, former)
    return marked


def _some(engine: Engine, lake: Lake, table: str, by: str, summary: DaySummary) -> ir.Table:
    """Return the day's rows of a table; of a large one, a sample: those of every n-th buyer or product."""
    rows = engine.read(lake.files(table, [date.fromisoformat(summary.day)]), EVENT_SCHEMAS[table])
    count = max((source.rows for source in summary.sources.values() if source.table == table), default=0)
    return rows.filter(rows[by] % parts == 0) if (parts := -(-count // READ_ROWS)) > 1 else rows


def _quantiles(engine: Engine, rows: ir.Table, source: str, columns: Sequence[str]) -> Figures:
    quantiles = {
        f"{column} {name}": rows[column].quantile(share) for column in columns for name, share in QUANTILES.items()
    }
    counts = {f"{column} rows": rows[column].count() for column in columns}
    schema = pa.schema([*((name, pa.float64()) for name in quantiles), *((name, pa.int64()) for name in counts)])
    [row] = engine.batches(rows.aggregate(**quantiles, **counts), schema).read_all().to_pylist()
    return {
        ("column", f"{source}.{column}", name): (row[f"{column} {name}"], row[f"{column} rows"])
        for column in columns
        for name in QUANTILES
        if row[f"{column} rows"]
    }


def _shares(engine: Engine, measure: str, marked: ir.Table) -> Figures:
    """Return the share of rows marked as a hit, among the rows that could be checked."""
    schema = pa.schema({"hits": pa.int64(), "rows": pa.int64()})
    totals = marked.aggregate(hits=marked["hit"].cast("int64").sum().fill_null(0), rows=marked.count())
    [row] = engine.batches(totals, schema).read_all().to_pylist()
    if not row["rows"]:
        return {}
    return {("column", PRICES, measure): (row["hits"] / row["rows"], row["rows"])}


def _off_scale(goods: ir.Table) -> ir.Table:
    middle = goods.group_by("category_path").agg(middle=goods[PRICE].median())
    rows = goods.join(middle, "category_path")
    return rows.select("shop_id", hit=_apart(rows[PRICE], rows["middle"], FAR))


def _jumped(goods: ir.Table, former: ir.Table) -> ir.Table:
    before = former.select("product_id", before=former[PRICE])
    rows = goods.select("product_id", "shop_id", PRICE).join(before, "product_id")
    return rows.select("shop_id", hit=_apart(rows[PRICE], rows["before"], JUMP))


def _apart(price: ir.NumericValue, other: ir.NumericValue, factor: int) -> ir.BooleanValue:
    """Return whether one price is at least so many times the other."""
    dearer, cheaper = ibis.greatest(price, other), ibis.least(price, other)
    return dearer >= cheaper * factor


def _snapshot_before(lake: Lake, day: date) -> date | None:
    first = day - timedelta(days=SNAPSHOT_DAYS)
    return max((other for other in lake.days(PRODUCTS) if first <= other < day), default=None)


# Which shops


def _of_shops(
    measurements: Sequence[Measurement],
    marked: Mapping[str, ir.Table],
    engine: Engine,
    days: DayWithBaseline,
    by_day: Mapping[date, Figures],
) -> Iterator[Measurement]:
    """Yield the shops that hold most of the prices that are off more often than usual.

    `expected`, `low` and `high` are of a shop of that size in which such prices are as frequent as they usually are.
    """
    for measurement in measurements:
        if (
            measurement.subject == PRICES
            and measurement.measure in marked
            and measurement.high is not None
            and measurement.value > measurement.high
        ):
            history = _history(days, by_day, (measurement.signal, measurement.subject, measurement.measure))
            hits = round(measurement.value * measurement.rows)
            yield from _named(_by_shop(engine, marked[measurement.measure]), measurement.measure, history, hits)


def _by_shop(engine: Engine, marked: ir.Table) -> list[dict[str, int]]:
    """Return each shop that has hits, with its counts of hits and rows, most hits first."""
    schema = pa.schema({"shop_id": pa.int64(), "hits": pa.int64(), "rows": pa.int64()})
    totals = marked.group_by("shop_id").aggregate(
        hits=marked["hit"].cast("int64").sum().fill_null(0), rows=marked.count()
    )
    shops: list[dict[str, int]] = engine.batches(totals.filter(totals["hits"] > 0), schema).read_all().to_pylist()
    return sorted(
        (shop for shop in shops if shop["shop_id"] is not None), key=lambda shop: (-shop["hits"], shop["shop_id"])
    )


def _named(
    shops: Sequence[Mapping[str, int]], measure: str, history: Sequence[float], hits: int
) -> Iterator[Measurement]:
    """Yield the shops beyond what is usual; none where these few do not hold most of the hits."""
    beyond, hits_named = [], 0
    for shop in shops[:MOST_SHOPS]:
        baseline, value = baseline_of("share", history, shop["rows"]), shop["hits"] / shop["rows"]
        if baseline and value > baseline.high and shop["hits"] >= LEAST_PART * hits:
            name = f"{measure} {shop['shop_id']}"
            beyond.append(
                Measurement(SHOP, PRICES, name, value, baseline.low, baseline.high, baseline.value, shop["rows"])
            )
            hits_named += shop["hits"]
    if 2 * hits_named > hits:
        yield from beyond
