"""Reads from the lake what lists are joined with."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import ibis.expr.types as ir
import pyarrow as pa

from rankloop.calendar import days_between
from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, SHOWN
from rankloop.contracts.tables import FLOAT
from rankloop.engine.protocol import Engine
from rankloop.features.catalogue import Catalogue, load_catalogue
from rankloop.features.declarations import Family, Feature
from rankloop.features.families import product
from rankloop.features.history import AsOfTables
from rankloop.features.joining.protocol import ALL_BUYERS, LIST_COLUMNS, BuyerShard, JoinError
from rankloop.lake.tables import Lake
from rankloop.settings.features import FeatureSettings

log = logging.getLogger(__name__)

SEEN = (DAY, "account_id", "product_id")
"""What counts of a list that was shown before."""


@dataclass(frozen=True)
class FeatureStore:
    """The features in a lake, and what it takes to join lists with them."""

    lake: Lake
    settings: FeatureSettings
    zone: ZoneInfo
    families: tuple[Family, ...] = ()
    """Without any, those that the settings name and the built-in ones."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """By table, the version to read, as a training run noted it; of the others the newest is read."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """Return the families that lists are joined with."""
        return Catalogue(self.families) if self.families else load_catalogue(self.settings)

    @property
    def features(self) -> tuple[Feature, ...]:
        """Return every feature, in the order in which lists are joined with them."""
        return self.catalogue.features

    def as_of(
        self, engine: Engine, day: date, lists: ir.Table | None = None, shard: BuyerShard = ALL_BUYERS
    ) -> AsOfTables:
        """Return what these lists, of this shard of the buyers alone, are joined with as of the end of a day.

        Without lists, those of the last days stand for them.
        """
        if not self._files(product.TABLE.name, [day]):
            raise JoinError(f"there are no features as of {day}. Build them: rankloop features build --day {day}")
        specs = {builder.spec.name: builder.spec for builder in self.catalogue.as_of}

        def read(table: str) -> ir.Table:
            files = self._files(table, [day])
            if not files and day not in self.lake.last_commits(table):
                log.warning("%s has no day %s: its features are unknown. See `rankloop features stale`.", table, day)
            return shard.take(engine, engine.read(files, specs[table].schema))

        days = days_between(day - timedelta(days=self.settings.seen_days - 1), day)
        seen = engine.read(self._files(SHOWN, days), EVENT_SCHEMAS[SHOWN]).select(*SEEN)
        seen = shard.take(engine, seen)
        return AsOfTables(day, self.zone, self.settings, seen if lists is None else lists, read, seen)

    def _files(self, table: str, days: Iterable[date]) -> Sequence[str]:
        return self.lake.files(table, list(days), self.versions.get(table))

    def joined_schema(self, lists: pa.Schema) -> pa.Schema:
        """Return the columns of lists of this schema with every feature, in full width."""
        features = [(one.name, pa.float64() if one.type == FLOAT else pa.int64()) for one in self.features]
        return pa.schema([*lists, *(pa.field(name, kind) for name, kind in features)])

    def validate(self, columns: Sequence[str], features: Iterable[str] = ()) -> None:
        """Refuse lists that lack a column or bring one that features bring, and features that no family declares.

        A missing column would be an engine's error, and one named like a feature would silently win.
        """
        declared = {feature.name for feature in self.features}
        if missing := [name for name in LIST_COLUMNS if name not in columns]:
            raise JoinError(f"lists lack the columns {', '.join(missing)}; they need {', '.join(LIST_COLUMNS)}.")
        if clashing := sorted({"shop_id", "category_path", *declared} & set(columns)):
            raise JoinError(
                f"lists already have columns that features bring: {', '.join(clashing)}. Rename or drop them."
            )
        if unknown := [name for name in features if name not in declared]:
            raise JoinError(
                f"no family declares the features {', '.join(unknown)}. `rankloop features describe` lists those "
                "that there are."
            )
