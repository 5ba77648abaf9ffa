"""Which part of the market a row belongs to: what a comparison is broken down by, and no input of a ranker."""

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.settings.training import TrainingSettings

CATEGORY_SEGMENT = "segment_category"
SEGMENTS = ("segment_buyer", "segment_product", CATEGORY_SEGMENT, "segment_city", "segment_price")
UNKNOWN = "unknown"
NEW_DAYS = 7
"""An account younger than this, or one not active in the last 28 days, is a new buyer's."""


def category_segment(path: ir.StringValue) -> ir.StringValue:
    """Return the first two levels of a category's path."""
    levels = path.split("/")
    return levels[0].concat("/", levels[1]).fill_null(UNKNOWN)


def segment_columns(training: TrainingSettings, rows: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the segment columns that follow from features: of buyer, product, city and price."""
    young = pc.fill_null(pc.less(rows["buyer_account_age"], NEW_DAYS), pa.scalar(False))
    absent = pc.equal(pc.fill_null(rows["buyer_active_days_28d"], 0), 0)
    cold = pc.less(pc.fill_null(rows["product_shown_28d"], 0), training.cold_shown)
    return {
        "segment_buyer": pc.if_else(pc.or_(young, absent), "new", "regular"),
        "segment_product": pc.if_else(cold, "cold", "warm"),
        "segment_city": _number(rows["buyer_city_tier"]),
        "segment_price": _number(rows["product_price_quartile"]),
    }


def _number(values: pa.Array) -> pa.Array:
    return pc.fill_null(values.cast(pa.int64()).cast(pa.string()), UNKNOWN)
