"""The days of the demo, and how one is lived: rankings shown, answered, built, judged, ranked again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from rankloop.calendar import yesterday
from rankloop.lake.tables import Lake
from rankloop.settings import Settings
from rankloop_demo.demo.screen import Screen
from rankloop_demo.simulator.history import live_days
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.plan import days_until, diary_of, marketplace_of
from rankloop_demo.stack.airflow_api import switch_on
from rankloop_demo.stack.backfill import Progress, look_again, run_backfill, run_days
from rankloop_demo.stack.following import CHECKS, SCORING, follow

BUILT_LAST = "features/product"
"""The table of a day's features that is written last."""
FEW = 2
"""So many days are asked for one by one; more are a backfill."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Days:
    """The days of the demo, as they are when a step begins."""

    place: Marketplace
    history: Sequence[date]
    loop: Sequence[date]
    """From the end of history up to yesterday."""
    last: date
    strike: date | None
    """The first of them on which something happens, if anything does."""

    @property
    def quiet(self) -> Sequence[date]:
        """The days on which our rankings are shown and nothing happens."""
        return [day for day in self.loop if not self.strike or day < self.strike]

    @property
    def struck(self) -> Sequence[date]:
        """The days after those."""
        return [day for day in self.loop if self.strike and day >= self.strike]


def days_of(settings: Settings) -> Days:
    """Return the demo's days up to yesterday: the history, those of the loop, and the day of the drift."""
    now = datetime.now(UTC)
    place, last = marketplace_of(settings, now), yesterday(now, settings.zone)
    history, loop = days_until(place, settings, last)
    return Days(place, history, loop, last, place.scenarios.first_day.get(settings.simulator.strike))


def build(settings: Settings, screen: Screen, days: Sequence[date], last: date) -> int:
    """Have Airflow build the features of these days, and return how many were not there before."""

    def show(progress: Progress) -> None:
        screen.doing(f"{progress.done} of {len(missing)} days are built, now {', '.join(progress.running) or 'none'}")

    built = set(Lake(settings.lake_root).days(BUILT_LAST))
    missing = [day for day in days if day not in built]
    # The schedule runs the last day by itself, or before the hour of its run the one before.
    due_from = last - timedelta(days=1)
    history = [day for day in missing if day < due_from]
    if len(history) > FEW:
        run_backfill(settings, history, lambda task: screen.doing(f"{history[0]} to {history[-1]}: {task}"))
    elif history:
        run_days(settings, "daily_features", history, due_from, show, of_earlier={"at_once": True})
    if newest := missing[len(history) :]:
        run_days(settings, "daily_features", newest, due_from, show, of_earlier={})
    return len(missing)


def live_on(settings: Settings, screen: Screen, demo: Days, day: date) -> None:
    """Live one more day on the rankings as of the day before; at its end it is built, and ranked as of."""
    before = day - timedelta(days=1)
    # Features of history were built before anybody ranked by them.
    follow(settings, SCORING, before, teller(screen, before), by_itself=before not in demo.history)
    # Switched on before the day is built, it hears of it.
    switch_on(settings, CHECKS)
    screen.doing(f"{day}: buyers are shown rankings as of {before}")
    list(live_days(demo.place, [day], diary_of(settings)))
    look_again(settings, "daily_features", "day_is_over", day)
    build(settings, screen, [day], demo.last)
    follow(settings, SCORING, day, teller(screen, day), by_itself=True)


def wait_for_verdict(settings: Settings, screen: Screen, day: date) -> None:
    """Wait until drift checks have judged a day that was lived."""
    follow(settings, CHECKS, day, teller(screen, day), by_itself=True)


def teller(screen: Screen, day: date | None = None) -> Tell:
    """Return what says which task begins."""
    return lambda task: screen.doing(f"{day}: {task}" if day else task)
