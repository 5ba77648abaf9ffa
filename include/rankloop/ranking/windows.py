"""Which days a run trains, validates and tests on, as seen from its as-of day.

As of a day A everything up to its end is known. The newest list that can be judged is one whose reactions are all in:
with labels of 24 hours those of A-1. Going back from there: the test blocks, the validation days, the training days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rankloop.calendar import days_between
from rankloop.contracts.lake import PRODUCTS
from rankloop.errors import RankloopError, TransientError
from rankloop.features.families import product
from rankloop.lake.tables import Lake
from rankloop.settings.training import TrainingSettings

TRAIN, VALID = "train", "valid"
FEWEST_SETS = 3
"""Train, validate, test: a day each is the least."""


class TooLittleHistoryError(RankloopError):
    """The shop's history is too short to train as of this day; says which day will be the first."""

    def __init__(self, as_of: date, first_as_of: date, oldest: date, needed: int) -> None:
        self.first_as_of = first_as_of
        self.first_week = week_of(first_as_of)
        super().__init__(
            f"training as of {as_of} needs {needed} days of lists, each with the features of the day before it, and "
            f"their reactions; the first features are as of {oldest}. The first trainable day is {first_as_of}, in "
            f"week {self.first_week}."
        )


class DaysMissingError(TransientError):
    """Days within the windows are not there; they may be under way, as in a backfill."""


@dataclass(frozen=True)
class Windows:
    """The days of each set, oldest first."""

    as_of: date
    train: tuple[date, ...]
    valid: tuple[date, ...]
    tests: tuple[tuple[date, ...], ...]

    @property
    def sets(self) -> dict[str, tuple[date, ...]]:
        """Each set's days by its name, in the order of time: `train`, `valid`, `test_0` and so on."""
        tests = {f"test_{number}": days for number, days in enumerate(self.tests)}
        return {TRAIN: self.train, VALID: self.valid, **tests}

    @property
    def days(self) -> tuple[date, ...]:
        """The days of all sets."""
        return tuple(day for days in self.sets.values() for day in days)


def week_of(day: date) -> str:
    """Return the ISO week of a day, `2026-W46`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def plan_windows(training: TrainingSettings, as_of: date) -> Windows:
    """Return the days of each set for a training as of the end of a day."""
    newest = as_of - timedelta(days=training.label_days)
    days = tuple(days_between(newest - timedelta(days=training.list_days - 1), newest))
    valid, test = training.train_days, training.train_days + training.valid_days
    step = training.test_block_days
    return Windows(
        as_of=as_of,
        train=days[:valid],
        valid=days[valid:test],
        tests=tuple(days[test + number * step :][:step] for number in range(training.test_blocks)),
    )


def since_change(training: TrainingSettings, as_of: date, since: date) -> TrainingSettings:
    """Return the settings for a training only on lists since a change, of which the newest two days validate and test.

    Left as they are where fewer than three such days can be judged yet, or where the usual windows all lie after it.
    """
    ripe = (as_of - since).days + 1 - training.label_days
    if not FEWEST_SETS <= ripe < training.list_days:
        return training
    train_days = min(ripe - 2, training.train_days)
    lengths = {"train_days": train_days, "valid_days": 1, "test_blocks": 1, "test_block_days": 1}
    return training.model_copy(update=lengths)


def first_trainable(training: TrainingSettings, first_features: date) -> date:
    """Return the first day as of which a training is possible, given the first day with features."""
    return first_features + timedelta(days=training.list_days + training.label_days)


def require_days(lake: Lake, training: TrainingSettings, windows: Windows) -> None:
    """Raise an error unless the lake has all partitions that the lists of these days are built from."""
    featured = lake.days(product.TABLE.name)
    if not featured:
        raise TransientError(
            f"training as of {windows.as_of}: there are no features at all. Run daily_features for the days up to it."
        )
    first = first_trainable(training, featured[0])
    if windows.as_of < first:
        raise TooLittleHistoryError(windows.as_of, first, featured[0], training.list_days)
    before = [day - timedelta(days=1) for day in windows.days]
    until = tuple(days_between(windows.days[0], windows.as_of))
    # A small shop may have a day without lists or reactions, but none without a catalogue.
    for table, wanted in ((product.TABLE.name, before), (PRODUCTS, until)):
        _require(table, wanted, lake.days(table), windows.as_of)


def _require(table: str, wanted: Sequence[date], there: Sequence[date], as_of: date) -> None:
    if missing := sorted(set(wanted) - set(there)):
        raise DaysMissingError(
            f"training as of {as_of}: {table} lacks {', '.join(map(str, missing))}. "
            "Run daily_features for those days first (clear its tasks, or backfill)."
        )
