"""From settings to a marketplace and the days of it that there should be by now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from rankloop.calendar import days_between, start_of, yesterday
from rankloop.errors import RankloopError
from rankloop.mongo import connect
from rankloop.settings import Settings, variable
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.loading import claimed
from rankloop_demo.simulator.scenarios import Scenarios
from rankloop_demo.simulator.world import HORIZON

QUIET_DAYS = 1


def marketplace_of(settings: Settings, now: datetime) -> Marketplace:
    """Return the marketplace that these settings ask for; one that has begun keeps its first day."""
    client = connect(settings.mongo)
    try:
        begun = claimed(client)
    finally:
        client.close()
    if settings.simulator.first_day is None and begun:
        return marketplace_from(settings, date.fromisoformat(begun["first_day"]))
    wanted = settings.simulator
    return marketplace_from(
        settings, yesterday(now, settings.zone) - timedelta(days=wanted.days + wanted.loop_days - 1)
    )


def marketplace_from(settings: Settings, first_day: date) -> Marketplace:
    """Return the marketplace of these settings, which begins on this day unless they name another."""
    wanted = settings.simulator
    first_day = wanted.first_day or first_day
    if too_early := {name: day for name, day in wanted.scenarios.items() if day < first_day}:
        name, day = next(iter(too_early.items()))
        raise RankloopError(
            f"scenario {name} is set to begin on {day}, before {first_day}, the marketplace's first day. "
            f"Give it a later day in {variable('simulator.scenarios')}."
        )
    return Marketplace(
        seed=wanted.seed,
        scale=wanted.scale,
        first_day=first_day,
        timezone=settings.timezone,
        dirt=wanted.dirt,
        scenarios=Scenarios(_scenarios(settings, first_day)),
        control_share=settings.experiment.control_share,
    )


def strikes_on(settings: Settings, first_day: date) -> date | None:
    """Return the day on which the demo's scenario begins, if it has one: some quiet days after the history."""
    return first_day + timedelta(days=settings.simulator.days + QUIET_DAYS) if settings.simulator.strike else None


def _scenarios(settings: Settings, first_day: date) -> dict[str, date]:
    """Return the first day of each scenario; one set by its day is not moved by the demo's own."""
    day = strikes_on(settings, first_day)
    return ({settings.simulator.strike: day} if day else {}) | settings.simulator.scenarios


def history_until(place: Marketplace, last: date) -> Sequence[date]:
    """Return every day from the marketplace's first to this one."""
    if place.first_day > last:
        raise RankloopError(
            f"the marketplace begins on {place.first_day}, but history is to end on {last}: there is nothing "
            f"to live. Set {variable('simulator.first_day')} to an earlier day."
        )
    if (last - place.first_day).days >= HORIZON:
        raise RankloopError(
            f"the marketplace begins on {place.first_day} and is known for {HORIZON} days; {last} is beyond. "
            "Is the year right? Else begin a new marketplace with a later first day."
        )
    return list(days_between(place.first_day, last))


def days_until(place: Marketplace, settings: Settings, last: date) -> tuple[Sequence[date], Sequence[date]]:
    """History, which a first model is learned from, and the days after it up to this one, on which it is shown."""
    days = history_until(place, last)
    return days[: settings.simulator.days], days[settings.simulator.days :]


def live_up_to(settings: Settings, last: date) -> dict[str, int]:
    """Live every day up to this one that is missing; how many documents came, by day.

    Runs in the task worker, in its one process: a task has a slot, not the machine.
    """
    place = marketplace_of(settings, start_of(last + timedelta(days=1), settings.zone))
    reports = live_days(place, history_until(place, last), replace(diary_of(settings), workers=1))
    return {report.day.isoformat(): sum(report.documents.values()) for report in reports}


def diary_of(settings: Settings) -> Diary:
    """Return where the days go: the MongoDB in use, and the truth files under the home folder."""
    return Diary(settings.mongo, settings.home / "truth", settings.simulator.workers)
