"""Joins lists with the features of the day before: one function for training and for scoring, so that they agree."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import ibis.expr.types as ir
import pyarrow as pa

from rankloop.calendar import days_between
from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, SHOWN
from rankloop.contracts.tables import FLOAT
from rankloop.engine.protocol import Engine
from rankloop.errors import RankloopError
from rankloop.features.build import lake_of
from rankloop.features.catalogue import AS_OF, FAMILIES, FEATURES
from rankloop.features.declarations import Feature, Lookup
from rankloop.features.families import product
from rankloop.features.history import AsOf
from rankloop.features.joining.attach import PAIR, attach, in_common
from rankloop.settings import Settings

LIST_COLUMNS = ("request_id", "account_id", "product_id", "ts", "surface", "base_score")
"""What a row of a list must have; a pair of request and product stands in one row. Others pass through."""
SEEN = (DAY, "account_id", "product_id")
"""What counts of a list that was shown before."""
SHAPES = {builder.spec.name: builder.spec for builder in AS_OF}
BUYER = "account_id"


class JoinError(RankloopError):
    """Lists that cannot be joined with the features of a day."""


class Portion(NamedTuple):
    """One of so many shares of the buyers, counted from 0; a list is whole in one of them."""

    number: int
    of: int

    def take(self, engine: Engine, table: ir.Table) -> ir.Table:
        """The rows of these buyers; all of them where a table knows no buyers."""
        if self.of == 1 or BUYER not in table.columns:
            return table
        return engine.shard(table, BUYER, self.number, self.of)


EVERYBODY = Portion(0, 1)


def join_features(  # noqa: PLR0913  (the last two are for reproducing and for bounding memory)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    versions: Mapping[str, int] | None = None,
    portion: Portion = EVERYBODY,
) -> ir.Table:
    """The lists with every feature as of the end of a day, in the catalogue's order after their own columns.

    Each row depends on its own list and on that day alone, so lists can be joined in any portions that keep a list
    whole. `versions` pins tables of the lake, as a training run noted them.
    """
    refuse_unlike_lists(lists.columns)
    known = known_as_of(engine, settings, portion.take(engine, lists), as_of, versions or {}, portion)
    rows = _looked_up(known.lists, product.LOCATED, known)
    for family in FAMILIES:
        for lookup in family.looked_up:
            rows = _looked_up(rows, lookup, known)
        if family.overlap:
            rows = attach(rows, in_common(family.overlap, known), PAIR, family.shared)
        rows = family.compute(rows, known) if family.compute else rows
    own = {name: rows[name] for name in lists.columns}
    return rows.select(**own, **filled(rows, FEATURES))


def _looked_up(rows: ir.Table, lookup: Lookup, known: AsOf) -> ir.Table:
    return attach(rows, lookup.read(known), lookup.on, lookup.columns)


def filled(rows: ir.Table, features: Iterable[Feature]) -> dict[str, ir.Value]:
    """By name, these features with what stands for each where nothing is known."""
    return {
        feature.name: rows[feature.name] if feature.unknown is None else rows[feature.name].fill_null(feature.unknown)
        for feature in features
    }


def joined_schema(lists: pa.Schema) -> pa.Schema:
    """What `join_features` makes of lists of this schema."""
    features = [(feature.name, pa.float64() if feature.type == FLOAT else pa.int64()) for feature in FEATURES]
    return pa.schema([*lists, *(pa.field(name, kind) for name, kind in features)])


def refuse_unlike_lists(columns: Sequence[str]) -> None:
    """A missing column would be an engine's error, and one named like a feature would silently win."""
    missing = [name for name in LIST_COLUMNS if name not in columns]
    brought = {"shop_id", "category_path", *(feature.name for feature in FEATURES)}
    clashing = sorted(brought & set(columns))
    if missing:
        raise JoinError(f"lists lack the columns {', '.join(missing)}; they need {', '.join(LIST_COLUMNS)}.")
    if clashing:
        raise JoinError(f"lists already have columns that features bring: {', '.join(clashing)}. Rename or drop them.")


def known_as_of(  # noqa: PLR0913, PLR0917  (what was asked, as it was asked)
    engine: Engine, settings: Settings, lists: ir.Table, as_of: date, versions: Mapping[str, int], portion: Portion
) -> AsOf:
    """What these lists, a portion already, are joined with."""
    lake = lake_of(settings)
    built = lake.files(product.TABLE.name, [as_of], versions.get(product.TABLE.name))
    if not built:
        raise JoinError(f"there are no features as of {as_of}. Build them: rankloop features build --day {as_of}")

    def read(table: str) -> ir.Table:
        return portion.take(engine, engine.read(lake.files(table, [as_of], versions.get(table)), SHAPES[table].schema))

    days = days_between(as_of - timedelta(days=settings.features.seen_days - 1), as_of)
    seen = engine.read(lake.files(SHOWN, days, versions.get(SHOWN)), EVENT_SCHEMAS[SHOWN]).select(*SEEN)
    return AsOf(as_of, settings.zone, settings.features, lists, read, portion.take(engine, seen))
