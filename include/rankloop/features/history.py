"""What features as of a day may be computed from: its snapshots, and the `daily/*` rows of the days up to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from rankloop.features.events import created_by
from rankloop.features.prices import add_price_position
from rankloop.features.windows import with_age
from rankloop.settings.features import FeatureSettings


@dataclass(frozen=True)
class FeatureHistory:
    """Everything that `features/*` of a day may be computed from; it holds nothing later."""

    days: tuple[date, ...]
    """The days of the window that the lake has, the as-of day last."""
    zone: ZoneInfo
    settings: FeatureSettings
    listed: ir.Table
    """The catalogue as it was when the day was extracted."""
    registered: ir.Table
    """The buyers as they were then."""
    read: Callable[[str], ir.Table]
    """Reads a `daily/*` table's rows within the window."""
    materialise: Callable[[ir.Table], ir.Table]
    """Has the engine work a small table out once, for all that read it."""

    @property
    def day(self) -> date:
        """Return the as-of day."""
        return self.days[-1]

    def daily(self, table: str) -> ir.Table:
        """Return the rows of a `daily/*` table within the window, with their `age`."""
        return with_age(self.read(table), self.day)

    @cached_property
    def goods(self) -> ir.Table:
        """Return the products with the position of their price within their category."""
        return self.materialise(add_price_position(created_by(self.listed, self.day, self.zone)))

    @property
    def buyers(self) -> ir.Table:
        """Return the buyers who had an account by then."""
        return created_by(self.registered, self.day, self.zone)


@dataclass(frozen=True)
class AsOfTables:
    """What lists are joined with: the features of one day, and the lists that led up to it."""

    day: date
    zone: ZoneInfo
    settings: FeatureSettings
    lists: ir.Table
    """The lists as they were given: other tables are joined with these few columns."""
    read: Callable[[str], ir.Table]
    """Reads a `features/*` table of the day."""
    seen: ir.Table
    """`events/impressions` of the last days, the day included."""
    materialise: Callable[[ir.Table], ir.Table] = lambda table: table
    """Has the engine work out once what is asked for again with other lists, where there are others."""
