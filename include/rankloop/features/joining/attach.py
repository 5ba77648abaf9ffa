"""Gives rows of lists the features of what they speak of, in an engine."""

from collections.abc import Iterable, Mapping

import ibis.expr.types as ir

from rankloop.contracts.tables import Column
from rankloop.features.declarations import Overlap
from rankloop.features.favourites import numbered
from rankloop.features.history import AsOf

PAIR = {"account_id": "account_id", "product_id": "product_id"}


def attach(rows: ir.Table, known: ir.Table, on: Mapping[str, str], features: Iterable[Column]) -> ir.Table:
    """The rows with these columns of a table where its key is found, and empty ones where it is not.

    `on` maps the column of the rows to the key of the table.
    """
    prefixed = {f"_key_{name}": key for name, key in on.items()}
    known = known.select(
        **{new: known[key] for new, key in prefixed.items()}, **{f.name: known[f.name] for f in features}
    )
    matches = [rows[name] == known[f"_key_{name}"] for name in on]
    return rows.left_join(known, matches).drop(*prefixed)


def in_common(overlap: Overlap, known: AsOf) -> ir.Table:
    """By pair of buyer and product in the lists, what they have in common."""
    of_buyer, of_product = overlap.of_buyer(known), overlap.of_product(known)
    numbers = known.materialise(numbered(of_buyer, overlap.thing, "number"))
    mine = known.materialise(of_buyer.join(numbers, overlap.thing).drop(overlap.thing))
    its = known.materialise(of_product.join(numbers, overlap.thing).select("product_id", "number"))
    pairs = known.lists.select(*PAIR).distinct().join(its, "product_id")
    # An inner join could be taken in another order, every buyer's things with every product's: billions of rows.
    found = pairs.left_join(mine, ["account_id", "number"])
    sums = {name: found[column].sum() for name, (column, _) in overlap.sums.items()}
    found = found.group_by(list(PAIR)).agg(**sums, **{name: found[of].min() for name, of in overlap.least.items()})
    return found.mutate(**{name: found[name] / unit for name, (_, unit) in overlap.sums.items() if unit > 1})
