"""Where days come from and go to, and how strictly they are judged."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from rankloop.lake.tables import Lake
from rankloop.mongo import Client, connect
from rankloop.settings import Settings
from rankloop.settings.cleaning import CleaningSettings
from rankloop.sources.mongo.extraction import Reader


@dataclass(frozen=True)
class Site:
    """A marketplace, its lake, and its rules."""

    client: Client
    lake: Lake
    zone: ZoneInfo
    rules: CleaningSettings
    window_days: int = 28
    """Days that features look back on, and so days after one that is made anew that are to be built again."""

    @property
    def reader(self) -> Reader:
        """How this marketplace is read."""
        skew = timedelta(seconds=self.rules.clock_skew_s)
        return Reader(self.client, self.zone, self.rules.readers, skew)


def open_site(settings: Settings) -> Site:
    """The site of these settings; whoever opens it closes its client."""
    return Site(
        connect(settings.mongo),
        Lake(settings.lake_root),
        settings.zone,
        settings.cleaning,
        settings.features.window_days,
    )
