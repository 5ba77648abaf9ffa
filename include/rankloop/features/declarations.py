"""How a feature, the table that holds it and the family it belongs to are declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.contracts.tables import INT, TEXT, Column, TableSpec
from rankloop.errors import RankloopError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


Kind = Literal["count", "money", "amount", "ratio", "rank", "score", "age", "code", "flag", "clock"]
"""What the number of a feature is:

- `count`: how many of something;
- `money`: money summed up or averaged over orders;
- `amount`: the price or size of one thing, in its unit or against others. A large jump means that the unit is another;
- `ratio`: a share, a rate, a trend, or the difference of two of them;
- `rank`: a place in an order, or the difference of two places;
- `score`: a weight or a score without a unit;
- `age`: days since something;
- `code`: a number that only names something, so that a value never seen before means nothing to a model;
- `flag`: 1 or 0;
- `clock`: the time of the list.
"""
BUYER_KEY = "account_id"
PAIR_KEY = {BUYER_KEY: BUYER_KEY, "product_id": "product_id"}
"""What a row of a list is looked up by in a table of buyers and products."""


class FeatureDeclarationError(RankloopError):
    """A family whose declaration leaves some of its features without a value."""


@dataclass(frozen=True)
class Feature(Column):
    """One input of the ranker. What it is, is said here: nothing else guesses it from its name."""

    unknown: float | None
    """What stands for it where nothing is known; None leaves it empty, for preprocessing to impute."""
    kind: Kind
    snapshot: bool = field(default=False, kw_only=True)
    """Whether it states how a buyer, product or shop is now; the others count events up to the end of a day."""
    counts_traffic: bool = field(default=False, kw_only=True)
    """Whether it rises and falls with the number of visitors of the whole shop, as before a holiday."""
    same_all_day: bool = field(default=False, kw_only=True)
    """Whether the date alone decides it, so that the values of one day always differ from those of many."""


@dataclass(frozen=True)
class TableBuilder:
    """A table and the expression that computes it."""

    spec: TableSpec
    build: Callable[[Any], ir.Table]
    """From the day's events for a `daily/*` table, from what is known at its end for a `features/*` one."""


@dataclass(frozen=True)
class Lookup:
    """Columns that rows of lists get from a table by its key, as they are; nothing is computed.

    So it does not matter who looks it up: an engine joins, and code that holds the table in memory takes its rows.
    """

    read: Callable[[Any], ir.Table]
    """Gives the table, from what is known as of a day; a key stands in one row of it."""
    on: Mapping[str, str]
    """By column of the rows, the column of the table's key."""
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Overlap:
    """What a buyer and a product have in common, such as words: what of the buyer's own adds up over it.

    As with what is looked up, it does not matter who adds up: all of it is whole numbers.
    """

    thing: str
    """The column of both tables that names a thing; a buyer and a product has it once."""
    of_buyer: Callable[[Any], ir.Table]
    """Gives the things of each `account_id` with what is added up, from what is known as of a day."""
    of_product: Callable[[Any], ir.Table]
    """Gives the things of each `product_id`."""
    sums: Mapping[str, tuple[str, int]]
    """By feature, which is 0 where they have nothing in common, the column that is summed, and the sum's unit."""
    least: Mapping[str, str]
    """By feature, which is empty there, the column of which the least counts."""


@dataclass(frozen=True)
class RowFeatures:
    """Features that are computed row by row, declared for both joiners; tests hold these to the same bits."""

    expression: Callable[[ir.Table, Any], ir.Table]
    """Adds the features to the rows, from what is known as of a day, as an Ibis expression."""
    arrays: Callable[[pa.Table, Any], Mapping[str, Floats]]
    """Returns the same by feature for rows in memory, in a fraction of the time: NaN where nothing is known.

    Lists and texts are there by number, equal ones by the same, and empty texts by -1; `ts` is in milliseconds.
    """
    inputs: tuple[str, ...] = ()
    """The columns looked up, by this family or one before it, that both read."""


@dataclass(frozen=True)
class Family:
    """Features that answer one question about a list's row."""

    name: str
    meaning: str
    features: tuple[Feature, ...]
    looked_up: tuple[Lookup, ...] = ()
    overlap: Overlap | None = None
    row_features: RowFeatures | None = None
    daily: TableBuilder | None = None
    as_of: TableBuilder | None = None
    subject: str = ""
    """Of what the features are, such as `the shop`, where their meanings do not say so by themselves."""

    def __post_init__(self) -> None:
        """Refuse a family of which some feature would be left without a value by either joiner."""
        if self.computed and self.row_features is None:
            raise FeatureDeclarationError(
                f"family {self.name} declares {', '.join(feature.name for feature in self.computed)}, but neither a "
                "lookup, nor its overlap, nor row_features gives them. Declare "
                "row_features=RowFeatures(expression, arrays): the first as an Ibis expression, the second in NumPy."
            )
        if self.row_features and not callable(self.row_features.arrays):
            raise FeatureDeclarationError(
                f"family {self.name} computes {', '.join(feature.name for feature in self.computed)} by an Ibis "
                "expression alone. Give RowFeatures its `arrays` too: the same numbers in NumPy, by which scoring and "
                "serving compute them."
            )

    @property
    def shared(self) -> tuple[Feature, ...]:
        """The features that say what buyer and product have in common."""
        names = {*self.overlap.sums, *self.overlap.least} if self.overlap else set()
        return tuple(feature for feature in self.features if feature.name in names)

    @property
    def computed(self) -> tuple[Feature, ...]:
        """The features that are neither looked up nor an overlap."""
        found = {column.name for lookup in self.looked_up for column in lookup.columns}
        found |= {feature.name for feature in self.shared}
        return tuple(feature for feature in self.features if feature.name not in found)


ACCOUNT = Column("account_id", INT, "the buyer")
PRODUCT = Column("product_id", INT, "the product")
SHOP = Column("shop_id", INT, "the shop")
CATEGORY = Column("category_path", TEXT, "the product's category, root first, ids joined by /")
WORD = Column("word", TEXT, "a word of product names, in small letters")
