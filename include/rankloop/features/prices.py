"""The position of a product's price within its leaf category: quartile, rank and median.

All arithmetic is in whole numbers, so that both engines give the same quartiles.
"""

import ibis
import ibis.expr.types as ir

PER_MILLE = 1000
DEAREST = 10**11
"""Dong. A higher price would outweigh all others, and sums of it would not fit 64 bits."""


def clip_price(price: ir.IntegerValue) -> ir.IntegerValue:
    """Return the price, clipped to the highest that counts."""
    return ibis.least(price, DEAREST)


def add_price_position(products: ir.Table) -> ir.Table:
    """Add `price_quartile`, `price_rank` and `price_median_x4` to products.

    Prices beyond 1.5 IQR do not shape the quarters: one gold bar would push every ring into the first. They are put
    into the outer quarters themselves.
    """
    products = products.mutate(
        original_price=clip_price(products["original_price"]), final_price=clip_price(products["final_price"])
    )
    edges = _edges(_without_outliers(products))
    placed = products.join(edges, "category_path")
    price = placed["final_price"] * 4
    higher = [(price > placed[f"edge{k}"]).ifelse(1, 0) for k in (1, 2, 3)]
    in_category = ibis.window(group_by=placed["category_path"], order_by=placed["final_price"])
    cheaper = ibis.rank().over(in_category)
    others = placed.count().over(group_by=placed["category_path"]) - 1
    return placed.mutate(
        price_quartile=1 + higher[0] + higher[1] + higher[2],
        price_rank=(others == 0).ifelse(PER_MILLE // 2, cheaper * PER_MILLE // ibis.greatest(others, 1)),
        price_median_x4=placed["edge2"],
    ).drop("edge1", "edge2", "edge3")


def _without_outliers(products: ir.Table) -> ir.Table:
    """Return the prices within 1.5 IQR of the middle half of their category."""
    edges = _edges(products)
    fenced = products.select("category_path", "product_id", "final_price").join(edges, "category_path")
    # An edge is four times a price, so eight times a fence is whole: Q1 - 1.5 IQR and Q3 + 1.5 IQR.
    spread = (fenced["edge3"] - fenced["edge1"]) * 3
    price = fenced["final_price"] * 8
    inside = (price >= fenced["edge1"] * 2 - spread) & (price <= fenced["edge3"] * 2 + spread)
    return fenced.filter(inside).drop("edge1", "edge2", "edge3")


def _edges(products: ir.Table) -> ir.Table:
    """Return four times each quartile of a category's prices, interpolated linearly: a whole number of dong."""
    in_order = ibis.window(group_by="category_path", order_by=["final_price", "product_id"])
    placed = products.select(
        "category_path",
        "final_price",
        place=ibis.row_number().over(in_order),
        last=products.count().over(group_by="category_path") - 1,
    )
    edges = {}
    for k in (1, 2, 3):
        before, beyond = placed["last"] * k // 4, placed["last"] * k % 4
        low = placed["final_price"].max(where=placed["place"] == before)
        high = placed["final_price"].max(where=placed["place"] == ibis.least(before + 1, placed["last"]))
        edges[f"edge{k}"] = low * 4 + (high - low) * beyond.max()
    return placed.group_by("category_path").agg(**edges)
