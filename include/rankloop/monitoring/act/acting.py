"""Does what a verdict calls for, if it may: has a challenger trained, or takes our rankings off.

What is done is recorded first, under a name that follows from the day: cleared and run again, it is done once.
"""

from datetime import date, datetime
from typing import Literal

from rankloop.champions.current import version_label
from rankloop.mongo import Client, connect
from rankloop.monitoring.act.incidents import note_on
from rankloop.monitoring.policy.verdict import Verdict, judged_later, verdict_of
from rankloop.scoring.publish import show_another
from rankloop.settings import Settings
from rankloop.state import actions
from rankloop.state.actions import FALL_BACK, RETRAIN, Action
from rankloop.state.alerts import raise_alert

Choice = Literal["retrain", "fall back", "nothing"]
NOTHING: Choice = "nothing"
DOABLE: dict[Choice, str] = {RETRAIN: "a training on the newest days", FALL_BACK: "taking our rankings off"}


def choose(settings: Settings, day: date, now: datetime) -> Choice:
    """What is done about a day, recorded before it is; what is not done though called for is noted, with the reason.

    With `monitoring.mode` off nothing is done and nothing noted: there are only alerts.
    """
    with connect(settings.mongo) as client:
        verdict = verdict_of(client, day)
        choice = next((one for one in DOABLE if one == verdict.state), NOTHING)
        done = {action.kind for action in actions.actions_of_day(client, day)}
        already = next((one for one in reversed(DOABLE) if one in done), None)
        # Judged again a day may turn out worse: that a training was begun is no reason to go on showing bad rankings.
        if already and (choice, already) != (FALL_BACK, RETRAIN):
            # Whoever released a version since has decided; an old day cleared must not hold it back again.
            return NOTHING if judged_later(client, day) else already
        if choice == NOTHING or settings.acts == "off":
            return NOTHING
        if why := _may_not(settings, client, verdict):
            note_on(client, verdict, f"{DOABLE[choice]} was called for, and not begun: {why}")
            return NOTHING
        kind: actions.ActionKind = RETRAIN if choice == RETRAIN else FALL_BACK
        actions.record_action(client, Action(kind, day, verdict.version, verdict.reason), now)
        note_on(client, verdict, f"{DOABLE[choice]} was begun by itself")
    return choice


def _may_not(settings: Settings, client: Client, verdict: Verdict) -> str:
    """Why nothing may be done, or nothing."""
    if later := judged_later(client, verdict.day):
        return f"{later} is judged already, and decides"
    if switched := actions.pause_status(client):
        return f"{switched.who} switched it off at {switched.at:%F %H:%M} UTC ({switched.why})"
    if settings.acts != "on":
        return f"monitoring.mode is {settings.acts}; RANKLOOP_MONITORING__MODE=on lets it"
    return ""


def why_retrain(settings: Settings, day: date) -> dict[str, str]:
    """What a training is asked for with: as of which day, why, and since when the world is another."""
    with connect(settings.mongo) as client:
        verdict = verdict_of(client, day)
    since = min(cause.since for cause in verdict.causes)
    return {"day": str(day), "reason": f"drift on {day}: {verdict.reason}", "since": str(since)}


def fall_back(settings: Settings, day: date, now: datetime) -> str:
    """Hold the champion back, and show the newest other rankings at once; what is live then, or nothing."""
    with connect(settings.mongo) as client:
        verdict = verdict_of(client, day)
        if verdict.version is not None:
            actions.hold_version(client, verdict.version, f"{day}: {verdict.reason}", now)
    shown = show_another(settings, now)
    with connect(settings.mongo) as client:
        _tell(client, verdict, shown, now)
    return shown


def _tell(client: Client, verdict: Verdict, shown: str, now: datetime) -> None:
    live = f"{shown} is live" if shown else "no other batch is there; the shop's own is being made"
    message = (
        f"{version_label(verdict.version).capitalize()} is held back since {verdict.day}: {verdict.reason}. {live}. "
        f"It stays champion, and ranks again after `rankloop monitoring release {verdict.version}`."
    )
    note_on(client, verdict, f"{version_label(verdict.version)} is held back; {live}")
    raise_alert(client, "held_back", version_label(verdict.version), message, now)
