"""What the steps of a market day's events work with."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from rankloop.calendar import days_between, first_of
from rankloop.lake.tables import Lake
from rankloop.mongo import Client
from rankloop.settings.cleaning import CleaningSettings
from rankloop.sources.protocol import Source


@dataclass(frozen=True)
class Ingestion:
    """Where events come from and go to, and the rules that they must keep."""

    source: Source
    lake: Lake
    state: Client
    """Rankloop's own MongoDB: quarantine and alerts."""
    zone: ZoneInfo
    """The time zone that a market day is counted in."""
    rules: CleaningSettings
    window_days: int = 28
    """Days that features look back on; so many days of features change when a day's events do."""

    def window(self, day: date) -> list[date]:
        """Return the days that features as of this one look back on."""
        return list(days_between(first_of(self.window_days, day), day))
