"""The tables that monitoring writes, all of one schema: a row for each measure of a day."""

import pyarrow as pa

from rankloop.contracts.lake import DAY

SCHEMA = pa.schema(
    {
        DAY: pa.date32(),
        "signal": pa.string(),
        "subject": pa.string(),
        "measure": pa.string(),
        "value": pa.float64(),
        "low": pa.float64(),
        "high": pa.float64(),
        "expected": pa.float64(),
        "rows": pa.int64(),
        "version": pa.int64(),
    }
)
DRIFT, PERFORMANCE, CONCEPT, QUALITY = (
    "monitoring/drift",
    "monitoring/performance",
    "monitoring/concept",
    "monitoring/quality",
)
DAYS_LATER = {PERFORMANCE: 1, CONCEPT: 1}
"""By table, how many days after a day it is measured: reactions count for 24 hours."""
CATALOGUES = ("buyers", "products")
"""Sources that are snapshots at the end of a day; the others hold the events of a day."""
AMOUNT_COLUMNS = (
    "products.original_price",
    "products.final_price",
    "interactions.price",
    "interactions.quantity",
)
"""Columns of sources that are amounts in some unit; a mean of other columns may change by any factor."""
