"""Counts and weights of interactions by kind."""

import ibis.expr.types as ir

from rankloop.contracts.tables import INT, Column
from rankloop.settings.features import Weights

COUNTED = {"views": "view", "clicks": "click", "likes": "like_shop", "carts": "add_to_cart", "orders": "order"}
"""The column that counts each kind of interaction."""

COUNTS = (
    Column("views", INT, "product pages opened from outside a list"),
    Column("clicks", INT, "products clicked in a list"),
    Column("likes", INT, "shops liked"),
    Column("carts", INT, "products put into the cart"),
    Column("orders", INT, "orders placed"),
)

WEIGHT_UNIT = 1000
"""Weights are whole numbers of thousandths, so that their sums do not depend on the order of rows."""


def count_by_kind(reactions: ir.Table) -> dict[str, ir.IntegerScalar]:
    """Return a count for each kind, to aggregate with."""
    return {column: reactions.count(where=reactions["kind"] == kind) for column, kind in COUNTED.items()}


def interaction_count(counted: ir.Table) -> ir.IntegerValue:
    """Add up interactions of any kind."""
    total = counted["views"]
    for column in list(COUNTED)[1:]:
        total = total + counted[column]
    return total


def weighted_count(counted: ir.Table, weights: Weights) -> ir.IntegerValue:
    """Add up interactions by the weight of their kind, in thousandths."""
    total = counted["views"] * _thousandths(weights.view)
    for column, kind in list(COUNTED.items())[1:]:
        total = total + counted[column] * _thousandths(getattr(weights, kind))
    return total


def _thousandths(weight: float) -> int:
    return round(weight * WEIGHT_UNIT)
