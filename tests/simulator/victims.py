"""A process that lives days and is killed at a chosen point of them."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tests.killing import Point, mine

from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace


def live_and_die(place: Marketplace, days: Sequence[date], diary: Diary, point: Point) -> None:
    """Live the days, and die at the point."""
    mine(point)
    list(live_days(place, days, diary))


def diary_in(uri: str, folder: Path, workers: int = 1) -> Diary:
    """A diary in this MongoDB."""
    return Diary(uri, folder / "truth", workers)
