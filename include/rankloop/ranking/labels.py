"""What a buyer did with each product of a list: 0 ignored, 1 clicked, 2 put into the cart, 3 ordered."""

from collections.abc import Mapping

import ibis.expr.types as ir

from rankloop.features.events import epoch_seconds

LABELS: Mapping[str, int] = {"click": 1, "add_to_cart": 2, "order": 3}
"""By kind of reaction. Liking a shop says nothing of the product, and a view belongs to no list."""
REACHED = {"clicked": 1, "carted": 2, "ordered": 3}
"""The columns that count products by the label that they reached, or passed."""
HOUR_S = 3600
HEX_DIGITS = 8


def labelled(shown: ir.Table, reactions: ir.Table, label_hours: int) -> ir.Table:
    """Return the rows of lists with their `label`, and `reacted`: the highest label of their list.

    A reaction counts for the list that it names, if it came within so many hours of it; of several the highest counts.
    """
    marks = reactions.filter(reactions["kind"].isin(list(LABELS)) & reactions["request_id"].notnull())
    marks = marks.select("request_id", "product_id", "ts", mark=marks["kind"].cases(*LABELS.items()))
    marks = in_time(marks, shown, label_hours)
    best = marks.group_by(["request_id", "product_id"]).agg(mark=marks["mark"].max())
    # Lists with a reaction are few, so they are joined: a window would put everything shown in order for them.
    marked = shown.select("request_id", "product_id").join(best, ["request_id", "product_id"])
    busy = marked.group_by("request_id").agg(reacted=marked["mark"].max())
    best, busy = best.rename(_request="request_id", _product="product_id"), busy.rename(_list="request_id")
    rows = shown.left_join(best, [shown["request_id"] == best["_request"], shown["product_id"] == best["_product"]])
    rows = rows.left_join(busy, rows["request_id"] == busy["_list"])
    rows = rows.mutate(label=rows["mark"].fill_null(0), reacted=rows["reacted"].fill_null(0))
    return rows.drop("_request", "_product", "_list", "mark")


def in_time(reactions: ir.Table, shown: ir.Table, hours: int) -> ir.Table:
    """Return the reactions that name one of these lists and came at most `hours` after it was shown."""
    reactions = reactions.mutate(reacted_at=epoch_seconds(reactions["ts"]))
    lists = shown.group_by("request_id").agg(shown_at=epoch_seconds(shown["ts"]).min())
    reactions = reactions.join(lists, "request_id")
    return reactions.filter(reactions["reacted_at"] <= reactions["shown_at"] + hours * HOUR_S)


def kept(rows: ir.Table, idle_share: float) -> ir.Table:
    """Return the rows of lists with a reaction and of a sample of the others, with a `weight` that corrects for it.

    Which idle lists are kept follows from their names alone: the same ones on every engine, day and run.
    """
    weight = (rows["reacted"] > 0).ifelse(1.0, 1.0 / idle_share)
    return rows.mutate(weight=weight).filter(_chosen(rows, idle_share))


def _chosen(rows: ir.Table, idle_share: float) -> ir.BooleanValue:
    limit = min(round(idle_share * 16**HEX_DIGITS), 16**HEX_DIGITS - 1)
    # Digits of one length and case compare as the numbers that they write.
    drawn = rows["request_id"].hexdigest("md5").substr(0, HEX_DIGITS) <= f"{limit:0{HEX_DIGITS}x}"
    return (rows["reacted"] > 0) | drawn


def counted(rows: ir.Table, idle_share: float) -> ir.Table:
    """One row: how many lists and products were shown, and the reactions to them; idle lists included.

    `shown_kept` is how many rows `kept` gives.
    """
    reached = {
        name: rows.count(where=rows["label"] >= label) for name, label in zip(REACHED, LABELS.values(), strict=True)
    }
    lists = rows.group_by("request_id").agg(shown=rows.count(), reacted=rows["reacted"].max(), **reached)
    chosen = _chosen(lists, idle_share)
    return lists.aggregate(
        lists=lists.count(),
        lists_with_reaction=lists.count(where=lists["reacted"] > 0),
        lists_kept=lists.count(where=chosen),
        **{name: lists[name].sum().fill_null(0) for name in ("shown", *REACHED)},
        shown_kept=lists["shown"].sum(where=chosen).fill_null(0),
    )
