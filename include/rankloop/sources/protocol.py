"""What an extraction asks of a shop's data, wherever it is stored.

A source is a class of its own in a file of its own. The setting `source.type` names it by its dotted path, and it is
called with a `SourceConfig`. It speaks of the shop's tables by the names of `contracts.sources.SOURCES`, and gives of
each only the columns of its contract: those are an allow-list, so that no personal field can reach the lake.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from rankloop.contracts.sources import SourceContract
from rankloop.mongo import Client
from rankloop.settings.source import SourceSettings


@dataclass(frozen=True)
class SourceConfig:
    """What every source is opened with."""

    settings: SourceSettings
    zone: ZoneInfo
    """The time zone that a market day is counted in."""
    mongo: Callable[[], Client]
    """Gives the client that Rankloop's own state is kept with, for a shop whose data is in the same MongoDB.

    It connects at the first call and gives the same client at every other.
    """


@dataclass
class DayRead:
    """A market day that is being read."""

    batches: Iterator[pa.RecordBatch]
    """Rows in the columns of the contract's `row_schema`, a few thousand at a time; to be taken once."""
    counts: dict[str, int] = field(default_factory=dict)
    """Complete once all batches were taken: `elsewhere`, the rows that were read but belong to another day."""


class Source(Protocol):
    """A shop's data, read one market day of one table at a time, in bounded memory."""

    def read_day(self, contract: SourceContract, day: date) -> DayRead:
        """Read the rows of a table: of events those of the day, of a catalogue all that there are now."""
        ...

    def read_list_ids(self, day: date) -> Iterator[pa.RecordBatch]:
        """Read the ids of all lists of a day, in a column `request_id`, whatever else is wrong with them."""
        ...

    def count_in_day(self, contract: SourceContract, day: date) -> int:
        """Count the events that claim a time within the day; more of them than when it was read came too late."""
        ...

    def has_lists_before(self, instant: datetime | None) -> bool:
        """Return whether any list had arrived before this instant; with None, whether any has arrived at all."""
        ...

    def is_complete(self, day: date) -> bool:
        """Return whether all of a day that has ended is there; True where the shop does not say."""
        ...

    def close(self) -> None:
        """Close what the source opened itself."""
        ...
