"""The tables of the lake that hold a day's cleaned events, each partitioned by the market day `dt`."""

import pyarrow as pa

from rankloop.contracts.marketplace import TIMESTAMP

DAY = "dt"

SHOWN, REACTIONS, PRODUCTS, BUYERS = EVENTS = (
    "events/impressions",
    "events/interactions",
    "events/products",
    "events/buyers",
)

CLEANED, AGGREGATED = "facts/events", "facts/daily"
"""Which days are cleaned, and which are aggregated; each is written after all that it vouches for.

The tables themselves cannot say: a day on which nothing happened has no rows, and one that was cut short has some.
"""

EVENT_SCHEMAS = {
    # A row a product shown: lists are unfolded, so that engines need no nested types.
    SHOWN: pa.schema(
        {
            DAY: pa.date32(),
            "request_id": pa.string(),
            "account_id": pa.int64(),
            "ts": TIMESTAMP,
            "surface": pa.string(),
            "policy": pa.string(),
            "product_id": pa.int64(),
            "position": pa.int32(),
            "base_score": pa.float64(),
        }
    ),
    REACTIONS: pa.schema(
        {
            DAY: pa.date32(),
            "interaction_id": pa.string(),
            "account_id": pa.int64(),
            "ts": TIMESTAMP,
            "kind": pa.string(),
            "product_id": pa.int64(),
            "shop_id": pa.int64(),
            "request_id": pa.string(),
            "price": pa.int64(),
            "quantity": pa.int32(),
        }
    ),
    # The catalogue as it stood when the day was extracted.
    PRODUCTS: pa.schema(
        {
            DAY: pa.date32(),
            "product_id": pa.int64(),
            "name": pa.string(),
            "category_path": pa.string(),
            "shop_id": pa.int64(),
            "original_price": pa.int64(),
            "final_price": pa.int64(),
            "is_free_ship": pa.bool_(),
            "created_at": TIMESTAMP,
            "status": pa.string(),
        }
    ),
    # The buyers as they stood when the day was extracted, without a personal field.
    BUYERS: pa.schema(
        {
            DAY: pa.date32(),
            "account_id": pa.int64(),
            "gender": pa.float64(),
            "address_city": pa.string(),
            "address_city_id": pa.int64(),
            "address_district_id": pa.int64(),
            "address_ward_id": pa.int64(),
            "total_order": pa.float64(),
            "total_order_cancel": pa.float64(),
            "total_order_close": pa.float64(),
            "total_order_complete": pa.float64(),
            "total_rating": pa.float64(),
            "last_payment_method": pa.string(),
            "latest_order_at": TIMESTAMP,
            "email_verified": pa.float64(),
            "is_otp_phone": pa.float64(),
            "is_bad_buyer": pa.float64(),
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
            "baid_group": pa.int32(),
        }
    ),
}

SCORES = "scores"
"""What was published: a row a product in a buyer's ranking, as of the end of the day."""
SCORES_SCHEMA = pa.schema(
    {
        DAY: pa.date32(),
        "account_id": pa.int64(),
        "rank": pa.int32(),
        "product_id": pa.int64(),
        "score": pa.float64(),
        "base_score": pa.float64(),
        "base_rank": pa.int32(),
        "sources": pa.string(),
        "policy": pa.string(),
        "version": pa.int64(),
        "batch": pa.string(),
    }
)
