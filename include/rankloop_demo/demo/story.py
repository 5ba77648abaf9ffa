"""What comes of our rankings day by day: they are worth having, then tastes move, and it is noticed and mended."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from rankloop.monitoring.report.addresses import address_of
from rankloop.settings import Settings
from rankloop_demo.demo.days import Days, days_of, live_on


def close_the_loop(settings: Settings, console: Console) -> str:
    """Rankings published, shown to half of the buyers, and answered by them, while nothing else happens."""
    demo = days_of(settings)
    for day in demo.quiet:
        live_on(settings, console, demo, day)
        _tell(settings, console, day)
    return _live_results(settings, demo.quiet)


def live_under_drift(settings: Settings, console: Console) -> str:
    """Days after something happened, until drift has asked for a training."""
    demo = days_of(settings)
    if not demo.struck:
        return f"nothing yet: it happens on {demo.strike}, and {demo.last} was the last day"
    known: set[str] = set()
    for day in demo.struck:
        live_on(settings, console, demo, day)
        known |= _tell(settings, console, day, known)
        if _asked_for_training(settings, day):
            return f"{day}: a training is begun by itself"
    return "drift asked for no training so far"


def recover(settings: Settings, console: Console) -> str:
    """The days on which the new champion's rankings are shown; then the whole story in one table."""
    demo = days_of(settings)
    left = _after_training(settings, demo)
    for day in left:
        live_on(settings, console, demo, day)
        _tell(settings, console, day)
    show_story(settings, console, demo)
    if left:
        page = address_of(settings, left[0] - timedelta(days=1))
        console.print(f"Each feature then and now, as of that training: {page}", highlight=False, soft_wrap=True)
    return _live_results(settings, demo.loop)


def show_story(settings: Settings, console: Console, demo: Days) -> None:
    """A row a day: who ranked, what buyers made of it, and what was said of it."""
    # Heavy, and no other step needs them.
    from rankloop.champions.current import opened  # noqa: PLC0415
    from rankloop.desk.monitoring import show_days  # noqa: PLC0415
    from rankloop.lake.tables import Lake  # noqa: PLC0415
    from rankloop.state.actions import verdict_of  # noqa: PLC0415

    with opened(settings) as client:
        found = {day: verdict_of(client, day) for day in demo.loop}
    said = {day: ": ".join([verdict["state"], *_kinds(verdict)]) for day, verdict in found.items() if verdict}
    happened = {demo.strike: settings.simulator.strike} if demo.strike else {}
    show_days(console, Lake(settings.lake_root), demo.loop, said, happened)


def _kinds(verdict: Mapping[str, Any]) -> list[str]:
    return [cause["kind"] for cause in verdict["causes"][:1]]


def _tell(settings: Settings, console: Console, day: date, known: AbstractSet[str] = frozenset()) -> set[str]:
    """What was said of a day, with the page of each cause that is not known yet, and results of the day before."""
    # Heavy, and no other step needs them.
    from rankloop.champions.current import opened  # noqa: PLC0415
    from rankloop.desk.monitoring import personalised_days, show_in_short  # noqa: PLC0415
    from rankloop.lake.tables import Lake  # noqa: PLC0415
    from rankloop.monitoring.policy.verdict import verdict_of  # noqa: PLC0415
    from rankloop.monitoring.report.pages import told  # noqa: PLC0415

    lake, before = Lake(settings.lake_root), day - timedelta(days=1)
    if before in personalised_days(lake):
        show_in_short(console, lake, before)
    with opened(settings) as client:
        verdict = verdict_of(client, day)
    console.print(f"{day} is judged: {verdict.state}. {verdict.reason}", style="bold", highlight=False)
    news = [cause for cause in verdict.causes if verdict.state not in {"ok", "watch"} and cause.key not in known]
    for cause in news:
        console.print(Markdown(told(settings, cause, verdict)))
    return {cause.key for cause in news}


def _asked_for_training(settings: Settings, day: date) -> bool:
    # Heavy, and no other step needs them.
    from rankloop.champions.current import opened  # noqa: PLC0415
    from rankloop.state.actions import RETRAIN, done_for  # noqa: PLC0415

    with opened(settings) as client:
        return any(action.kind == RETRAIN for action in done_for(client, day))


def _after_training(settings: Settings, demo: Days) -> Sequence[date]:
    """The days after the one as of which drift had a challenger trained."""
    begun = [day for day in demo.struck if _asked_for_training(settings, day)]
    return [day for day in demo.struck if begun and day > begun[0]]


def _live_results(settings: Settings, days: Sequence[date]) -> str:
    # Heavy, and no other step needs them.
    from rankloop.desk.monitoring import personalised_days  # noqa: PLC0415
    from rankloop.lake.tables import Lake  # noqa: PLC0415

    judged = [day for day in personalised_days(Lake(settings.lake_root)) if day in days]
    if not judged:
        return f"{len(days)} days lived on our rankings; a day's results are known once the day after it is there"
    return f"live results of {len(judged)} days: `rankloop live show` has more"
