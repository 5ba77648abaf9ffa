"""Which feature families there are, in the order in which they are joined, and the page that describes them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module

from rankloop.errors import RankloopError
from rankloop.features.declarations import Family, Feature, TableBuilder
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
from rankloop.settings import variable
from rankloop.settings.features import FeatureSettings

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
DAILY: tuple[TableBuilder, ...] = tuple(family.daily for family in FAMILIES if family.daily)
AS_OF: tuple[TableBuilder, ...] = tuple(family.as_of for family in FAMILIES if family.as_of)


class FamilyError(RankloopError):
    """A feature family of the settings that cannot be loaded, or that clashes with another."""


@dataclass(frozen=True)
class Catalogue:
    """The feature families in use: the built-in ones, then those that the settings name."""

    families: tuple[Family, ...]

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Every feature, in the order in which lists are joined with them."""
        return tuple(feature for family in self.families for feature in family.features)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in that order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def daily(self) -> tuple[TableBuilder, ...]:
        """The `daily/*` tables."""
        return tuple(family.daily for family in self.families if family.daily)

    @cached_property
    def as_of(self) -> tuple[TableBuilder, ...]:
        """The `features/*` tables."""
        return tuple(family.as_of for family in self.families if family.as_of)

    def feature_named(self, name: str) -> Feature | None:
        """Return the feature of this name, or None if no family declares it."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}


BUILT_IN = Catalogue(FAMILIES)


def load_catalogue(settings: FeatureSettings) -> Catalogue:
    """Return the families in use: the built-in ones, and those that `features.families` names by dotted paths."""
    return _catalogue(settings.families)


@cache
def _catalogue(paths: tuple[str, ...]) -> Catalogue:
    families = list(FAMILIES)
    for path in paths:
        family = _load_family(path)
        _refuse_clashes(path, family, families)
        families.append(family)
        _DECLARED.update({feature.name: (family, feature) for feature in family.features})
    return Catalogue(tuple(families))


def _load_family(path: str) -> Family:
    module, _, name = path.rpartition(".")
    where = f"{variable('features.families')} names {path}"
    try:
        family = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise FamilyError(
            f"{where}, but {error}. Install its package where Rankloop runs, or correct the path."
        ) from error
    except AttributeError:
        raise FamilyError(f"{where}, but the module {module} has no {name}. Name a Family in it.") from None
    if not isinstance(family, Family):
        raise FamilyError(f"{where}, which is a {type(family).__name__}. Name a rankloop.features.declarations.Family.")
    return family


def _refuse_clashes(path: str, family: Family, others: Sequence[Family]) -> None:
    """Two families with one feature or one table would silently overwrite each other."""
    mine, theirs = _names_of([family]), _names_of(others)
    if clashing := sorted(set(mine) & set(theirs)):
        raise FamilyError(
            f"the family {path} declares {', '.join(clashing)}, as another family does already. Rename them in it."
        )


def _names_of(families: Iterable[Family]) -> list[str]:
    names = []
    for family in families:
        names += [f"the family {family.name}", *(f"the feature {feature.name}" for feature in family.features)]
        names += [f"the table {builder.spec.name}" for builder in (family.daily, family.as_of) if builder]
    return names


AS_OF_SCHEMAS = {builder.spec.name: builder.spec.schema for builder in AS_OF}


def feature_names() -> list[str]:
    """Return every built-in feature, in the order in which lists are joined with them."""
    return [feature.name for feature in FEATURES]


_DECLARED = {feature.name: (family, feature) for family in FAMILIES for feature in family.features}
"""By name, each feature of any family that this process has loaded."""


def feature_named(name: str) -> Feature | None:
    """Return the feature of this name in any family that this process has loaded, or None."""
    return _DECLARED[name][1] if name in _DECLARED else None


def feature_meaning(name: str) -> str:
    """Return what a feature means, and of what it is, for a person who is shown it alone."""
    if name not in _DECLARED:
        return name
    family, feature = _DECLARED[name]
    meaning = re.sub(r" \(setting \w+\)", "", feature.meaning)
    return f"{family.subject}: {meaning}" if family.subject else meaning


def render_feature_catalogue() -> str:
    """Return the built-in features and their tables as a page of documentation."""
    lines = [
        "# Features",
        "",
        "Written by `rankloop features describe --markdown > docs/features.md`; do not edit.",
        "",
        f"{len(FEATURES)} features in {len(FAMILIES)} families, a file each in `include/rankloop/features/families`.",
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
    for builder in (*DAILY, *AS_OF):
        lines += [f"## {builder.spec.name}", "", "| column | type | meaning |", "| --- | --- | --- |"]
        key = set(builder.spec.keys)
        for column in (*builder.spec.key, *builder.spec.columns):
            name = f"**`{column.name}`**" if column.name in key else f"`{column.name}`"
            lines.append(f"| {name} | {column.type} | {column.meaning} |")
        lines.append("")
    return "\n".join(lines)


def _unknown(feature: Feature) -> str:
    return "" if feature.unknown is None else f"{feature.unknown:g}"


def _kind(feature: Feature) -> str:
    notes = {"snapshot": feature.snapshot, "traffic": feature.counts_traffic, "same all day": feature.same_all_day}
    return ", ".join((feature.kind, *(note for note, holds in notes.items() if holds)))
