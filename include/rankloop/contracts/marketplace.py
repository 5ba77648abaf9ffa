"""The collections of the marketplace: their fields, types, keys and indexes, and which fields are personal."""

import pyarrow as pa

BUYERS, PRODUCTS, IMPRESSIONS, INTERACTIONS = COLLECTIONS = ("buyers", "products", "impressions", "interactions")

KINDS = ("view", "click", "like_shop", "add_to_cart", "order")
BASE_POLICY = "base"

TIMESTAMP = pa.timestamp("ms", tz="UTC")

SCHEMAS = {
    BUYERS: pa.schema(
        {
            "account_id": pa.int64(),
            "account_email": pa.string(),
            "account_phone": pa.string(),
            "facebook_id": pa.string(),
            "first_name": pa.string(),
            "last_name": pa.string(),
            "full_name": pa.string(),
            "gender": pa.float64(),
            "address_full": pa.string(),
            "address_city": pa.string(),
            "address_city_id": pa.int64(),
            "address_district": pa.string(),
            "address_district_id": pa.int64(),
            "address_ward": pa.string(),
            "address_ward_id": pa.int64(),
            "total_order": pa.float64(),
            "total_order_cancel": pa.float64(),
            "total_order_close": pa.float64(),
            "total_order_complete": pa.float64(),
            "total_rating": pa.float64(),
            "last_payment_method": pa.string(),
            "latest_order_date": pa.string(),
            "email_verified": pa.float64(),
            "is_otp_phone": pa.float64(),
            "is_bad_buyer": pa.float64(),
            "created_ip": pa.string(),
            "utc_created_at": pa.string(),
            "utc_updated_at": pa.string(),
            "utc_rad2_insert": pa.string(),
            "utc_rad2_update": pa.string(),
            "baid_group": pa.int32(),
        }
    ),
    PRODUCTS: pa.schema(
        {
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
    IMPRESSIONS: pa.schema(
        {
            "request_id": pa.string(),
            "account_id": pa.int64(),
            "baid_group": pa.int32(),
            "ts": TIMESTAMP,
            "surface": pa.string(),
            "policy": pa.string(),
            "items": pa.list_(
                pa.struct({"product_id": pa.int64(), "position": pa.int32(), "base_score": pa.float64()})
            ),
        }
    ),
    INTERACTIONS: pa.schema(
        {
            "interaction_id": pa.string(),
            "account_id": pa.int64(),
            "baid_group": pa.int32(),
            "ts": TIMESTAMP,
            "kind": pa.string(),
            "product_id": pa.int64(),
            "shop_id": pa.int64(),
            "request_id": pa.string(),
            "price": pa.int64(),
            "quantity": pa.int32(),
        }
    ),
}

KEYS = {
    BUYERS: "account_id",
    PRODUCTS: "product_id",
    IMPRESSIONS: "request_id",
    INTERACTIONS: "interaction_id",
}

INDEXES = {
    BUYERS: (("account_id",),),
    PRODUCTS: (("product_id",),),
    IMPRESSIONS: (("ts",), ("account_id", "ts")),
    INTERACTIONS: (("ts",), ("account_id", "ts")),
}
"""What a day's extraction and a buyer's history are read by."""

PERSONAL = frozenset(
    {
        "account_email",
        "account_phone",
        "facebook_id",
        "first_name",
        "last_name",
        "full_name",
        "address_full",
        "created_ip",
    }
)
"""Fields of a buyer that never leave MongoDB."""
