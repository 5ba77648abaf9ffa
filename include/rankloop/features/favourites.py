"""Ranks what a buyer favours, weighted by kind of interaction and decayed by age."""

import ibis
import ibis.expr.types as ir

from rankloop.features.reactions import WEIGHT_UNIT
from rankloop.features.windows import DECAY_UNIT

RANK_BEYOND = 100
"""The rank of what is not among the first hundred favourites."""


def number_values(table: ir.Table, column: str, name: str) -> ir.Table:
    """Return each value of a text column with its number in the order of spelling.

    Grouping and ranking many rows by numbers takes half the time that it takes by text, and ties fall alike.
    """
    values = table.select(column).distinct()
    return values.mutate(**{name: ibis.row_number().over(order_by=column)})


def rank_favourites(decayed: ir.Table, within: list[str], name: str) -> ir.Table:
    """Add the `weight`, `share` and `rank` (1 the first) of each row, from its column `decayed`.

    `within` is what the buyer's favourites are compared within, `name` the column that breaks ties.
    """
    groups = [decayed[column] for column in within]
    best_first = ibis.window(group_by=groups, order_by=[decayed["decayed"].desc(), decayed[name]])
    everything = decayed["decayed"].sum().over(group_by=groups)
    return decayed.mutate(
        weight=decayed["decayed"] / (WEIGHT_UNIT * DECAY_UNIT),
        share=(decayed["decayed"] / everything.nullif(0)).fill_null(0),
        rank=ibis.row_number().over(best_first) + 1,
    )
