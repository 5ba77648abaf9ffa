"""The branches that a category path runs along, from the root to its leaf."""

import ibis.expr.types as ir

from rankloop.contracts.tables import TEXT, Column

DEPTHS = (1, 2, 3, 4)
TELLING = (2, 3, 4)
"""Depths at which two products can differ; the first is the root that all share."""
BRANCHES = {depth: Column(f"_category{depth}", TEXT, f"the product's category at depth {depth}") for depth in TELLING}


def first(path: ir.StringValue, depth: int) -> ir.StringValue:
    """Return the first ids of a path, that number of them."""
    return path.re_extract("^" + "/".join(["[^/]+"] * depth), 0)


def with_branches(goods: ir.Table) -> ir.Table:
    """Products with their category at each depth that tells."""
    path = goods["category_path"]
    return goods.mutate(**{column.name: first(path, depth) for depth, column in BRANCHES.items()})
