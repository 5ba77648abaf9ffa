"""A process that aggregates or builds a day and is killed at a chosen point of it."""

from datetime import date

from rankloop.settings import Settings
from tests.building import aggregate_day, build_features
from tests.killing import Point, mine

TASKS = {task.__name__: task for task in (aggregate_day, build_features)}


def do(task: str, settings: Settings, day: date, point: Point) -> None:
    """Do one task of the day, and die at the point."""
    mine(point)
    TASKS[task](settings, day)
