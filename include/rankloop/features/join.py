"""Joins lists with the features of the day before: one function for training and for scoring, so that they agree."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import ibis.expr.types as ir
import pyarrow as pa

from rankloop.calendar import days_between
from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.errors import RankloopError
from rankloop.features.catalogue import AS_OF, FAMILIES, FEATURES
from rankloop.features.declare import FLOAT
from rankloop.features.engine import Engine
from rankloop.features.history import AsOf
from rankloop.lake.tables import Lake
from rankloop.settings import Settings

LIST_COLUMNS = ("request_id", "account_id", "product_id", "ts", "surface", "base_score")
"""What a row of a list must have; a pair of request and product stands in one row. Others pass through."""
SHAPES = {made.shape.name: made.shape for made in AS_OF}


class JoinError(RankloopError):
    """Lists that cannot be joined with the features of a day."""


def join_features(
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    versions: Mapping[str, int] | None = None,
) -> ir.Table:
    """The lists with every feature as of the end of a day, in the catalogue's order after their own columns.

    Each row depends on its own list and on that day alone, so lists can be joined in any portions that keep a list
    whole. `versions` pins tables of the lake, as a training run noted them.
    """
    refuse_unlike_lists(lists.columns)
    lake, pinned = Lake(settings.home / "lake"), versions or {}

    def read(table: str) -> ir.Table:
        return engine.read(_files(lake, table, [as_of], pinned.get(table)), SHAPES[table].schema)

    seen_since = as_of - timedelta(days=settings.features.seen_days - 1)
    seen = lake.files(SHOWN, days_between(seen_since, as_of), pinned.get(SHOWN))
    known = AsOf(as_of, settings.zone, settings.features, read, engine.read(seen, EVENT_SCHEMAS[SHOWN]))
    rows = lists
    for family in FAMILIES:
        rows = family.join(rows, known)
    own = [rows[name] for name in lists.columns]
    return rows.select(*own, **{feature.name: _filled(rows[feature.name], feature.unknown) for feature in FEATURES})


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


def _files(lake: Lake, table: str, days: Sequence[date], version: int | None) -> list[str]:
    files = lake.files(table, days, version)
    if not files and not any(day in lake.days(AS_OF[0].shape.name) for day in days):
        raise JoinError(f"there are no features as of {days[0]} ({table}). Build them: rankloop features build.")
    return files


def _filled(value: ir.Value, unknown: float | None) -> ir.Value:
    return value if unknown is None else value.fill_null(unknown)
