"""When and where the list is shown, and what the shop's own ranking makes of the product within it.

The position in the list is no feature, nor may one be made from it.
"""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from rankloop.calendar import start_of
from rankloop.features.declare import FLOAT, INT, Family, Feature
from rankloop.features.events import DAY_S, second
from rankloop.features.history import AsOf

MILLIONTH = 1_000_000
AHEAD = 8
"""Days after the features for which changes of the clocks are known."""
THURSDAY = 3
"""The weekday on which the epoch began, Monday being 0."""

FEATURES = (
    Feature("context_hour", INT, "hour of the market day, 0 to 23", None),
    Feature("context_weekday", INT, "day of the week, Monday 0 to Sunday 6", None),
    Feature("context_is_home", INT, "1 if the list is on the home page", 0),
    Feature("context_is_category", INT, "1 if the list is a category's page", 0),
    Feature("context_is_search", INT, "1 if the list answers a search", 0),
    Feature("context_list_length", INT, "products in the list", 0),
    Feature("context_base_score", FLOAT, "the shop's own score", None),
    Feature("context_base_rank", INT, "rank within the list by the shop's own score, 1 the best", None),
    Feature("context_base_lift", FLOAT, "the shop's own score less the mean over the list", None),
    Feature("context_category_share", FLOAT, "share of the list's products that are in the product's category", None),
)


def compute(rows: ir.Table, known: AsOf) -> ir.Table:
    """Each row with the features of its list and its place in it; after the product's category is known."""
    local = second(rows["ts"]) + _offset(rows["ts"], known.day, known.zone)
    score = (rows["base_score"] * MILLIONTH).round().cast("int64")
    t = rows.mutate(_day=local // DAY_S, _second=local % DAY_S, _score=score)
    in_list = ibis.window(group_by="request_id")
    best_first = ibis.window(group_by="request_id", order_by=[ibis.desc("base_score"), "product_id"])
    alike = ibis.window(group_by=["request_id", "category_path"])
    length = t.count().over(in_list)
    mean = t["_score"].sum().over(in_list) / length
    surfaces = {name: (t["surface"] == name).ifelse(1, 0) for name in ("home", "category", "search")}
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


def _offset(instant: ir.TimestampValue, day: date, zone: ZoneInfo) -> ir.IntegerValue:
    """Seconds by which the market's clocks are ahead of UTC.

    Engines know time zones from different tables, so the offset comes from Python's alone.
    """
    hours = AHEAD * 24
    first = start_of(day, zone)
    offsets = [(moment, _ahead(moment, zone)) for moment in (first + timedelta(hours=hour) for hour in range(hours))]
    changes = [(at, now) for (_, before), (at, now) in pairwise(offsets) if now != before]
    offset = ibis.literal(offsets[0][1], type="int64")
    for moment, ahead in changes:
        offset = (second(instant) >= int(moment.timestamp())).ifelse(ahead, offset)
    return offset


def _ahead(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int((offset or timedelta()).total_seconds())


FAMILY = Family("context", __doc__, FEATURES, compute=compute, takes=("category_path",))
