"""The results of our rankings day by day: they are worth having, then tastes move, and it is noticed and corrected."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import Any

from rich.markdown import Markdown

from rankloop.monitoring.report.addresses import report_url
from rankloop.settings import Settings
from rankloop_demo.demo.days import Days, days_of, live_on, wait_for_verdict
from rankloop_demo.demo.screen import Screen


def close_the_loop(settings: Settings, screen: Screen) -> str:
    """Rankings published, shown to half of the buyers, and answered by them, while nothing else happens."""
    demo = days_of(settings)
    _live(settings, screen, demo, demo.quiet)
    return _live_results(settings, demo.quiet)


def live_under_drift(settings: Settings, screen: Screen) -> str:
    """Days after something happened, until drift has asked for a training."""
    demo = days_of(settings)
    if not demo.struck:
        return f"nothing yet: it happens on {demo.strike}, and {demo.last} was the last day"
    # Before there are so many days to learn from no training is begun, so the next day need not wait for a verdict.
    judged_first = demo.struck[0] + timedelta(days=settings.monitoring.learn_days)
    asked = _live(settings, screen, demo, demo.struck, judged_first)
    return f"{asked}: a training is begun by itself" if asked else "drift asked for no training so far"


def recover(settings: Settings, screen: Screen) -> str:
    """Live the days on which the new champion's rankings are shown; then show the whole story in one table."""
    demo = days_of(settings)
    left = _after_training(settings, demo)
    _live(settings, screen, demo, left)
    show_story(settings, screen, demo)
    if left:
        page = report_url(settings.airflow, left[0] - timedelta(days=1))
        screen.say(f"Each feature then and now, as of that training: {page}")
    return _live_results(settings, demo.loop)


def _live(
    settings: Settings, screen: Screen, demo: Days, days: Sequence[date], judged_first: date | None = None
) -> date | None:
    """Live these days, the verdict of each while the next is lived; from `judged_first` on each is judged first.

    Return the day whose verdict began a training, which ends them.
    """
    known: set[str] = set()
    waiting: list[date] = []
    for day in days:
        live_on(settings, screen, demo, day)
        waiting.append(day)
        judged_now = judged_first and day >= judged_first
        while len(waiting) > (0 if judged_now else 1):
            known |= _verdict(settings, screen, waiting.pop(0), known)
        if judged_now and _asked_for_training(settings, day):
            return day
    for day in waiting:
        known |= _verdict(settings, screen, day, known)
    return next((day for day in days if _asked_for_training(settings, day)), None)


def show_story(settings: Settings, screen: Screen, demo: Days) -> None:
    """Print a row a day: who ranked, what buyers did, and what monitoring concluded."""
    # Heavy, and no other step needs them.
    from rankloop.desk.monitoring import print_day_results  # noqa: PLC0415
    from rankloop.lake.tables import Lake  # noqa: PLC0415
    from rankloop.mongo import connect  # noqa: PLC0415
    from rankloop.state.actions import verdict_of_day  # noqa: PLC0415

    with connect(settings.mongo) as client:
        verdicts = {day: verdict_of_day(client, day) for day in demo.loop}
    conclusions = {day: ": ".join([verdict["state"], *_kinds(verdict)]) for day, verdict in verdicts.items() if verdict}
    happened = {demo.strike: settings.simulator.strike} if demo.strike else {}
    print_day_results(screen.console, Lake(settings.lake_root), demo.loop, conclusions, happened)


def _kinds(verdict: Mapping[str, Any]) -> list[str]:
    return [cause["kind"] for cause in verdict["causes"][:1]]


def _verdict(settings: Settings, screen: Screen, day: date, known: AbstractSet[str] = frozenset()) -> set[str]:
    """Wait for the verdict of a day; print it, each cause that is not known yet, and the results of the day before."""
    wait_for_verdict(settings, screen, day)
    # Heavy, and no other step needs them.
    from rankloop.desk.monitoring import personalised_days, print_live_summary  # noqa: PLC0415
    from rankloop.lake.tables import Lake  # noqa: PLC0415
    from rankloop.mongo import connect  # noqa: PLC0415
    from rankloop.monitoring.policy.verdict import load_verdict  # noqa: PLC0415
    from rankloop.monitoring.report.pages import render_cause  # noqa: PLC0415

    lake, before = Lake(settings.lake_root), day - timedelta(days=1)
    if before in personalised_days(lake):
        print_live_summary(screen.console, lake, before)
    with connect(settings.mongo) as client:
        verdict = load_verdict(client, day)
    screen.say(f"      {day} is judged: {verdict.state}. {verdict.reason}")
    news = [cause for cause in verdict.causes if verdict.state not in {"ok", "watch"} and cause.key not in known]
    for cause in news:
        screen.say(Markdown(render_cause(cause, verdict, settings.airflow, settings.mlflow)))
    return {cause.key for cause in news}


def _asked_for_training(settings: Settings, day: date) -> bool:
    # Heavy, and no other step needs them.
    from rankloop.mongo import connect  # noqa: PLC0415
    from rankloop.state.actions import RETRAIN, actions_of_day  # noqa: PLC0415

    with connect(settings.mongo) as client:
        return any(action.kind == RETRAIN for action in actions_of_day(client, day))


def _after_training(settings: Settings, demo: Days) -> Sequence[date]:
    """Return the days after the first one as of which drift asked for a training."""
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


def value_in_words(settings: Settings) -> str:
    """Return in one sentence what the rankings were worth: clicks before, after the drift, after the retraining."""
    # Heavy, and no other step needs them.
    from rankloop.desk.monitoring import home_clicks  # noqa: PLC0415
    from rankloop.lake.tables import Lake  # noqa: PLC0415

    lake, demo = Lake(settings.lake_root), days_of(settings)
    clicks = {day: figures for day in demo.loop if (figures := home_clicks(lake, day))}
    if not (before := [clicks[day] for day in demo.quiet if day in clicks]):
        return ""
    shop, ours = (sum(figures) / len(before) for figures in zip(*before, strict=True))
    text = f"CTR@10 of home lists: {shop:.1%} in the shop's own order, {ours:.1%} in ours"
    retrained = _after_training(settings, demo)
    drifted = [clicks[day][1] for day in demo.struck if day in clicks and day not in retrained]
    recovered = [clicks[day][1] for day in retrained if day in clicks]
    if drifted:
        text += f"; {sum(drifted) / len(drifted):.1%} after {settings.simulator.strike}"
    if recovered:
        text += f"; {sum(recovered) / len(recovered):.1%} after the retraining"
    return f"{text}."
