"""How a feature, the table that holds it and the family it belongs to are declared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import ibis.expr.types as ir
import pyarrow as pa

from rankloop.contracts.lake import DAY

Type = Literal["int64", "float64", "string"]
INT: Type = "int64"
FLOAT: Type = "float64"
TEXT: Type = "string"

_ARROW = {INT: pa.int64(), FLOAT: pa.float64(), TEXT: pa.string()}


@dataclass(frozen=True)
class Column:
    """One column of a table of the lake."""

    name: str
    type: Type
    meaning: str


@dataclass(frozen=True)
class Feature(Column):
    """One input of the ranker."""

    unknown: float | None
    """What stands for it where nothing is known; None leaves it empty, for preprocessing to impute."""


@dataclass(frozen=True)
class Shape:
    """A table of the lake: its key, which also orders its rows, and what stands beside the key."""

    name: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]

    @property
    def keys(self) -> list[str]:
        """The names of the key."""
        return [column.name for column in self.key]

    @property
    def schema(self) -> pa.Schema:
        """The columns as the lake has them, the market day first."""
        fields = [(column.name, _ARROW[column.type]) for column in (*self.key, *self.columns)]
        return pa.schema([(DAY, pa.date32()), *fields])


@dataclass(frozen=True)
class Made:
    """A table and the expression that makes it."""

    shape: Shape
    make: Callable[[Any], ir.Table]
    """From the day's events for a `daily/*` table, from what is known at its end for a `features/*` one."""


@dataclass(frozen=True)
class Family:
    """Features that answer one question about a list's row."""

    name: str
    meaning: str
    features: tuple[Feature, ...]
    join: Callable[[ir.Table, Any], ir.Table]
    """Gives each row of the lists the features of this family, from the tables as of a day."""
    daily: Made | None = None
    as_of: Made | None = None


ACCOUNT = Column("account_id", INT, "the buyer")
PRODUCT = Column("product_id", INT, "the product")
SHOP = Column("shop_id", INT, "the shop")
CATEGORY = Column("category_path", TEXT, "the product's category, root first, ids joined by /")
WORD = Column("word", TEXT, "a word of product names, in small letters")
