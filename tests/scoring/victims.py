"""A process that does one step of a batch and is killed at a chosen point of it."""

from datetime import date

from rankloop.settings import Settings
from rankloop.state import rankings
from tests.killing import Point, mine
from tests.scoring.batches import archive, check, plan, publish, rank, remove_old


def do(step: str, settings: Settings, day: date, name: str, point: Point) -> None:
    """Do the step, and die at the point."""
    rankings.AT_A_TIME = 2  # so that a group is written in several goes, and can be killed between two
    mine(point)
    take(step, settings, day, name)


def take(step: str, settings: Settings, day: date, name: str) -> None:
    """One step of a batch, as its task does it."""
    match step:
        case "plan":
            plan(settings, day)
        case "rank":
            rank(settings, name, 3)
        case "check":
            check(settings, name)
        case "publish":
            publish(settings, name)
        case "archive":
            archive(settings, name)
        case "old_batches":
            remove_old(settings)
