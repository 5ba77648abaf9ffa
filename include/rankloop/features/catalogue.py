"""All families, in the order in which they are joined, and the page that describes them."""

from rankloop.features.declarations import Family, Feature, Made
from rankloop.features.families import (
    buyer,
    buyer_category,
    buyer_price,
    buyer_product,
    buyer_shop,
    buyer_word,
    context,
    product,
    shop,
)

FAMILIES: tuple[Family, ...] = (
    context.FAMILY,  # ranks within lists, so it comes while rows are still narrow
    product.FAMILY,
    shop.FAMILY,
    buyer.FAMILY,
    buyer_category.FAMILY,
    buyer_shop.FAMILY,
    buyer_product.FAMILY,
    buyer_word.FAMILY,
    buyer_price.FAMILY,
)

FEATURES: tuple[Feature, ...] = tuple(feature for family in FAMILIES for feature in family.features)
DAILY: tuple[Made, ...] = tuple(family.daily for family in FAMILIES if family.daily)
AS_OF: tuple[Made, ...] = tuple(family.as_of for family in FAMILIES if family.as_of)


def feature_names() -> list[str]:
    """Every feature, in the order in which lists are joined with them."""
    return [feature.name for feature in FEATURES]


BY_NAME = {feature.name: feature for feature in FEATURES}


def feature_named(name: str) -> Feature | None:
    """Return the feature of this name, or None if no family declares it."""
    return BY_NAME.get(name)


def page() -> str:
    """The catalogue as a page of documentation."""
    lines = [
        "# Features",
        "",
        "Written by `rankloop features describe --markdown > docs/features.md`; do not edit.",
        "",
        f"{len(FEATURES)} features in {len(FAMILIES)} families, a family a file in `include/rankloop/features/`.",
        "All are as of the end of the market day before the list is shown. Days since something are counted from the",
        "end of that day: 0 is on the day itself. *Unknown* is what stands for a feature where nothing is known; where",
        "it is empty, preprocessing imputes.",
        "",
        "The *kind* says what the number is, and monitoring goes by it: an *amount* that jumps has changed its unit, a",
        "*code* never seen before means nothing to a model. *Snapshot* features state how things are now and count no",
        "event; features of *traffic* rise and fall with the whole shop, as before a holiday.",
        "",
        "MongoDB knows accounts and products only as they are now, so a day that is extracted later, as in a backfill,",
        "has later snapshots; `rankloop lake days` says how much later. Buyers and products created after the day are",
        "left out. Of an account that was changed since the end of the day (`utc_updated_at`), what changes with what",
        "a buyer does is unknown: orders, cancellations, ratings, the last order, verifications; gender and address",
        "are as in the snapshot. A product does not say when it was changed: its prices, discount, name and category",
        "are those of the snapshot.",
    ]
    for family in FAMILIES:
        lines += ["", f"## {family.name}", "", family.meaning.strip(), ""]
        lines += ["| feature | type | kind | unknown | meaning |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| `{feature.name}` | {feature.type} | {_kind(feature)} | {_unknown(feature)} | {feature.meaning} |"
            for feature in family.features
        ]
    lines += ["", "# Tables", "", "Each is partitioned by the market day `dt` and ordered by its key.", ""]
    for made in (*DAILY, *AS_OF):
        lines += [f"## {made.shape.name}", "", "| column | type | meaning |", "| --- | --- | --- |"]
        key = set(made.shape.keys)
        for column in (*made.shape.key, *made.shape.columns):
            name = f"**`{column.name}`**" if column.name in key else f"`{column.name}`"
            lines.append(f"| {name} | {column.type} | {column.meaning} |")
        lines.append("")
    return "\n".join(lines)


def _unknown(feature: Feature) -> str:
    return "" if feature.unknown is None else f"{feature.unknown:g}"


def _kind(feature: Feature) -> str:
    notes = {"snapshot": feature.snapshot, "traffic": feature.counts_traffic, "same all day": feature.same_all_day}
    return ", ".join((feature.kind, *(note for note, holds in notes.items() if holds)))
