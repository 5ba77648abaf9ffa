"""What is read of each collection, as what, and where a day's rows wait in the lake until they are cleaned.

Only the fields named here are ever read, and a source that gives others is refused, so a personal field cannot reach
the lake by accident.
"""

from dataclasses import dataclass

import pyarrow as pa

from rankloop.contracts import lake
from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import BUYERS, COLLECTIONS, IMPRESSIONS, INTERACTIONS, PERSONAL, PRODUCTS, SCHEMAS

ID, ARRIVED, FAULTS = "id", "arrived", "faults"
ITEMS = "items"
TEXT_INSTANT = "%Y-%m-%d %H:%M:%S %z"
"""How the account system writes an instant."""
FAULT = pa.struct({"item": pa.int32(), "field": pa.string(), "reason": pa.string(), "value": pa.string()})
"""What is wrong with the shape of a document; `item` counts from 0 in a list, and is null for the document itself."""


@dataclass(frozen=True)
class FieldContract:
    """A field that is read, and the column that it becomes."""

    name: str
    type: pa.DataType
    required: bool = True
    column: str = ""
    text_instant: bool = False
    """Whether it is written as text in the document and is an instant in the lake."""
    amount: bool = False
    """Whether it is the price or size of one thing: a large jump means that the unit is another."""

    @property
    def target(self) -> str:
        """The column in the lake."""
        return self.column or self.name


@dataclass(frozen=True)
class SourceContract:
    """A collection as it is read."""

    collection: str
    table: str
    """The table of the lake that its clean rows go to."""
    key: str
    fields: tuple[FieldContract, ...]
    event: bool
    """Whether its documents belong to the day of their `ts`; the others are read as they stand."""
    grows_slowly: bool = False
    """Whether what is there today is there tomorrow and little is added, so that many more overnight are news."""

    @property
    def raw_table(self) -> str:
        """The staging table of the lake, which its rows are read into before they are cleaned."""
        return f"raw/{self.collection}"

    @property
    def row_schema(self) -> pa.Schema:
        """A row as a source gives it: the raw table's columns without the day, which is the partition's."""
        return pa.schema(field for field in self.raw_schema if field.name != DAY)

    @property
    def raw_schema(self) -> pa.Schema:
        """A row a document: where it is from, the fields by their columns, and what is wrong with its shape."""
        columns = {DAY: pa.date32(), ID: pa.string(), ARRIVED: pa.timestamp("ms", tz="UTC")}
        columns |= {field.target: field.type for field in self.fields}
        return pa.schema({**columns, FAULTS: pa.list_(FAULT)})


AMOUNTS = frozenset({"price", "quantity", "original_price", "final_price"})
"""Fields that are amounts."""


def _fields(collection: str, names: str, optional: str = "") -> tuple[FieldContract, ...]:
    types = SCHEMAS[collection]
    return tuple(
        FieldContract(name, types.field(name).type, required, amount=name in AMOUNTS)
        for group, required in ((names, True), (optional, False))
        for name in group.split()
    )


_INSTANTS = tuple(
    FieldContract(name, pa.timestamp("ms", tz="UTC"), required, column, text_instant=True)
    for name, required, column in (
        ("utc_created_at", True, "created_at"),
        ("utc_updated_at", False, "updated_at"),
        ("latest_order_date", False, "latest_order_at"),
    )
)

SOURCES = {
    source.collection: source
    for source in (
        SourceContract(
            IMPRESSIONS,
            lake.SHOWN,
            "request_id",
            _fields(IMPRESSIONS, f"request_id account_id ts surface policy {ITEMS}"),
            event=True,
        ),
        SourceContract(
            INTERACTIONS,
            lake.REACTIONS,
            "interaction_id",
            _fields(INTERACTIONS, "interaction_id account_id ts kind product_id shop_id price quantity", "request_id"),
            event=True,
        ),
        SourceContract(
            PRODUCTS,
            lake.PRODUCTS,
            "product_id",
            _fields(
                PRODUCTS,
                "product_id name category_path shop_id original_price final_price created_at status",
                "is_free_ship",
            ),
            event=False,
            grows_slowly=True,
        ),
        SourceContract(
            BUYERS,
            lake.BUYERS,
            "account_id",
            _fields(
                BUYERS,
                "account_id total_order baid_group",
                "gender address_city address_city_id address_district_id address_ward_id total_order_cancel "
                "total_order_close total_order_complete total_rating last_payment_method email_verified is_otp_phone "
                "is_bad_buyer",
            )
            + _INSTANTS,
            event=False,
        ),
    )
}

ITEM_FIELDS = tuple(
    FieldContract(field.name, field.type) for field in SCHEMAS[IMPRESSIONS].field(ITEMS).type.value_type
)

if (
    set(SOURCES) != set(COLLECTIONS)
    or {field.name for source in SOURCES.values() for field in source.fields} & PERSONAL
):
    raise AssertionError("every collection is a source, and no source reads a personal field")
