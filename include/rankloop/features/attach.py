"""Gives rows of lists the features of what they speak of."""

from collections.abc import Iterable, Mapping

import ibis.expr.types as ir

from rankloop.features.declare import Column


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
