"""When and where the list is shown, and what the shop's own ranking makes of the product within it.

The position in the list is no feature, nor may one be made from it.
"""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.calendar import start_of
from rankloop.contracts.tables import FLOAT, INT
from rankloop.features.declarations import Family, Feature, Floats, Ints, RowFeatures
from rankloop.features.events import DAY_S, epoch_seconds
from rankloop.features.history import AsOfTables
from rankloop.features.order import ranks_within_groups, sort_within_groups

SURFACES = ("home", "category", "search")
MILLIONTH = 1_000_000
AHEAD = 8
"""Days after the features for which changes of the clocks are known."""
THURSDAY = 3
"""The weekday on which the epoch began, Monday being 0."""

FEATURES = (
    Feature("context_hour", INT, "hour of the market day, 0 to 23", None, "clock"),
    Feature("context_weekday", INT, "day of the week, Monday 0 to Sunday 6", None, "clock", same_all_day=True),
    Feature("context_is_home", INT, "1 if the list is on the home page", 0, "flag"),
    Feature("context_is_category", INT, "1 if the list is a category's page", 0, "flag"),
    Feature("context_is_search", INT, "1 if the list answers a search", 0, "flag"),
    Feature("context_list_length", INT, "products in the list", 0, "count"),
    Feature("context_base_score", FLOAT, "the shop's own score", None, "score"),
    Feature("context_base_rank", INT, "rank within the list by the shop's own score, 1 the best", None, "rank"),
    Feature("context_base_lift", FLOAT, "the shop's own score less the mean over the list", None, "score"),
    Feature(
        "context_category_share",
        FLOAT,
        "share of the list's products that are in the product's category",
        None,
        "ratio",
    ),
)


def context_expression(rows: ir.Table, known: AsOfTables) -> ir.Table:
    """Add the features of each row's list and of its rank in it; the product's category is known by then."""
    local = epoch_seconds(rows["ts"]) + _offset(rows["ts"], known.day, known.zone)
    score = (rows["base_score"] * MILLIONTH).round().cast("int64")
    t = rows.mutate(_day=local // DAY_S, _second=local % DAY_S, _score=score)
    in_list = ibis.window(group_by="request_id")
    best_first = ibis.window(group_by="request_id", order_by=[ibis.desc("base_score"), "product_id"])
    alike = ibis.window(group_by=["request_id", "category_path"])
    length = t.count().over(in_list)
    mean = t["_score"].sum().over(in_list) / length
    surfaces = {name: (t["surface"] == name).ifelse(1, 0) for name in SURFACES}
    return t.mutate(
        context_hour=t["_second"] // 3600,
        context_weekday=(t["_day"] + THURSDAY) % 7,
        **{f"context_is_{name}": value for name, value in surfaces.items()},
        context_list_length=length,
        context_base_score=t["base_score"],
        context_base_rank=ibis.row_number().over(best_first) + 1,
        context_base_lift=(t["_score"] - mean) / MILLIONTH,
        context_category_share=t["category_path"].isnull().ifelse(ibis.null(), t.count().over(alike) / length),
    ).drop("_day", "_second", "_score")


def context_arrays(rows: pa.Table, known: AsOfTables) -> dict[str, Floats]:
    """Return the same features for rows in memory."""
    lists, base = rows["request_id"].to_numpy(), rows["base_score"].to_numpy()
    at = rows["ts"].cast(pa.int64()).to_numpy() // 1000
    day, of_day = np.divmod(at + _offset_array(at, known.day, known.zone), DAY_S)
    length = np.bincount(lists)[lists]
    score = _rounded(base * MILLIONTH)
    surface = {f"context_is_{name}": pc.equal(rows["surface"], name).to_numpy() for name in SURFACES}
    values = {
        "context_hour": of_day // 3600,
        "context_weekday": (day + THURSDAY) % 7,
        **surface,
        "context_list_length": length,
        "context_base_score": base,
        "context_base_rank": _ranks(lists, base, rows["product_id"].to_numpy()),
        "context_base_lift": (score - np.bincount(lists, score)[lists] / length) / MILLIONTH,
        "context_category_share": _alike(lists, rows["category_path"]) / length,
    }
    return {name: np.asarray(value, np.float64) for name, value in values.items()}


def _rounded(values: Floats) -> Floats:
    """Halves go away from zero, as in engines; NumPy's own go to the even number."""
    whole = np.trunc(values)
    return whole + np.copysign(np.abs(values - whole) >= 0.5, values)  # noqa: PLR2004  (a half)


def _ranks(lists: Ints, base: Floats, products: Ints) -> Ints:
    ranks = np.empty(len(lists), np.int64)
    ranks[sort_within_groups(lists, base, products)] = ranks_within_groups(np.bincount(lists))
    return ranks


def _alike(lists: Ints, categories: pa.ChunkedArray) -> Floats:
    """How many products of the list are in the same category."""
    category = categories.to_numpy() + 1
    both = lists.astype(np.int64) * (category.max(initial=0) + 1) + category
    return np.where(category == 0, np.nan, np.bincount(both)[both])


def _offset_array(at: Ints, day: date, zone: ZoneInfo) -> Ints:
    first, changes = _offsets(day, zone)
    offsets = np.full(len(at), first)
    for moment, ahead in changes:
        offsets[at >= moment] = ahead
    return offsets


def _offset(instant: ir.TimestampValue, day: date, zone: ZoneInfo) -> ir.IntegerValue:
    """Seconds by which the market's clocks are ahead of UTC.

    Engines know time zones from different tables, so the offset comes from Python's alone.
    """
    first, changes = _offsets(day, zone)
    offset = ibis.literal(first, type="int64")
    for moment, ahead in changes:
        offset = (epoch_seconds(instant) >= moment).ifelse(ahead, offset)
    return offset


def _offsets(day: date, zone: ZoneInfo) -> tuple[int, list[tuple[int, int]]]:
    """Return the UTC offset at the start of the features' day, and each later change with instant and new offset."""
    first = start_of(day, zone)
    moments = (first + timedelta(hours=hour) for hour in range(AHEAD * 24))
    offsets = [(int(moment.timestamp()), _ahead(moment, zone)) for moment in moments]
    return offsets[0][1], [(at, now) for (_, before), (at, now) in pairwise(offsets) if now != before]


def _ahead(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int((offset or timedelta()).total_seconds())


FAMILY = Family(
    "context",
    __doc__,
    FEATURES,
    row_features=RowFeatures(context_expression, context_arrays, inputs=("category_path",)),
)
