"""What is known at the end of a day: its snapshots, and the `daily/*` rows of the days up to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from rankloop.features.events import existing
from rankloop.features.prices import with_price_place
from rankloop.features.windows import with_age
from rankloop.settings.features import FeatureSettings


@dataclass(frozen=True)
class History:
    """Everything that `features/*` of a day may be made from; nothing later can be reached through it."""

    days: tuple[date, ...]
    """The days of the window that the lake has, the day itself last."""
    zone: ZoneInfo
    settings: FeatureSettings
    listed: ir.Table
    """The catalogue as it stood when the day was extracted."""
    registered: ir.Table
    """The buyers as they stood then."""
    read: Callable[[str], ir.Table]
    """Gives a `daily/*` table's rows within the window."""
    materialise: Callable[[ir.Table], ir.Table]
    """Has the engine work a small table out once, for all that read it."""

    @property
    def day(self) -> date:
        """The day at whose end all this is known."""
        return self.days[-1]

    def daily(self, table: str) -> ir.Table:
        """The rows of a `daily/*` table within the window, with their `age`."""
        return with_age(self.read(table), self.day)

    @cached_property
    def goods(self) -> ir.Table:
        """The products as they stand, with the place of their price within their category."""
        return self.materialise(with_price_place(existing(self.listed, self.day, self.zone)))

    @property
    def buyers(self) -> ir.Table:
        """The buyers who had an account."""
        return existing(self.registered, self.day, self.zone)


@dataclass(frozen=True)
class AsOf:
    """What lists are joined with: the features of one day, and the lists that led up to it."""

    day: date
    zone: ZoneInfo
    settings: FeatureSettings
    lists: ir.Table
    """The lists as they were given: what is asked of other tables is asked of these few columns."""
    read: Callable[[str], ir.Table]
    """Gives a `features/*` table of the day."""
    seen: ir.Table
    """`events/impressions` of the last days, the day included."""
    materialise: Callable[[ir.Table], ir.Table] = lambda table: table
    """Has the engine work out once what is asked for again with other lists, where there are others."""
