"""The levels of a category path, from the root to its leaf."""

import ibis.expr.types as ir

from rankloop.contracts.tables import TEXT, Column

DEPTHS = (1, 2, 3, 4)
DISTINCT_DEPTHS = (2, 3, 4)
"""Depths at which two products can differ; the first is the root that all share."""
LEVELS = {
    depth: Column(f"_category{depth}", TEXT, f"the product's category at depth {depth}") for depth in DISTINCT_DEPTHS
}


def path_prefix(path: ir.StringValue, depth: int) -> ir.StringValue:
    """Return the first ids of a path."""
    return path.re_extract("^" + "/".join(["[^/]+"] * depth), 0)


def with_category_levels(goods: ir.Table) -> ir.Table:
    """Add each product's category at every depth at which products can differ."""
    path = goods["category_path"]
    return goods.mutate(**{column.name: path_prefix(path, depth) for depth, column in LEVELS.items()})
