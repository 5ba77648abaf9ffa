"""Instants and identities of what happens on a market day."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from rankloop.calendar import start_of
from rankloop_demo.simulator.reactions import DAY_S
from rankloop_demo.simulator.vocabulary import Floats, Ints


@dataclass(frozen=True)
class Clock:
    """One market day in one time zone."""

    day: date
    start_ms: int
    end_ms: int

    def at(self, second: Ints | Floats) -> Ints:
        """Milliseconds since the epoch, for seconds counted from the start of the day.

        A day on which the clocks change is shorter or longer; its seconds are stretched to fit.
        """
        stretch = (self.end_ms - self.start_ms) / DAY_S
        return np.asarray(self.start_ms + np.floor(np.asarray(second) * stretch).astype(np.int64))


def clock(day: date, zone: ZoneInfo) -> Clock:
    """Return the clock of a market day."""
    start, end = start_of(day, zone), start_of(day + timedelta(days=1), zone)
    return Clock(day, int(start.timestamp() * 1000), int(end.timestamp() * 1000))


def object_ids(arrival_ms: Ints, day_number: int, block: int, kind: int, sequence: Ints) -> npt.NDArray[np.uint8]:
    """Twelve bytes a document: the second of its arrival, as in every ObjectId, then what makes it unique.

    They follow from what the document is, so loading a day a second time finds every document already there.
    """
    ids = np.empty((len(sequence), 12), dtype=np.uint8)
    ids[:, :4] = _big_endian(arrival_ms // 1000)[:, 4:]
    ids[:, 4:8] = np.frombuffer(day_number.to_bytes(2, "big") + block.to_bytes(2, "big"), dtype=np.uint8)
    ids[:, 8] = kind
    ids[:, 9:] = _big_endian(sequence)[:, 5:]
    return ids


def _big_endian(number: Ints) -> npt.NDArray[np.uint8]:
    return np.asarray(number, dtype=">u8").view(np.uint8).reshape(-1, 8)
