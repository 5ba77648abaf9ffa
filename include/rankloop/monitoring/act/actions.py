"""Does what a verdict calls for, if it may: starts a retraining, or takes our rankings off.

An action is recorded before it is done, under a name that follows from the day: cleared and run again, it is done once.
"""

from datetime import date, datetime
from typing import Literal

from rankloop.champions.current import version_label
from rankloop.context import Context
from rankloop.mongo import Client
from rankloop.monitoring.act.incidents import add_incident_note
from rankloop.monitoring.policy.verdict import Verdict, load_verdict, newer_verdict_day
from rankloop.scoring.publishing import publish_fallback
from rankloop.settings.monitoring import Mode
from rankloop.state import actions
from rankloop.state.actions import FALL_BACK, RETRAIN, Action
from rankloop.state.alerts import raise_alert

Choice = Literal["retrain", "fall back", "nothing"]
NOTHING: Choice = "nothing"
ACTIONS: dict[Choice, str] = {RETRAIN: "a training on the newest days", FALL_BACK: "taking our rankings off"}


def choose_action(context: Context, day: date) -> Choice:
    """Return what to do about a day, recorded before it is done; note on the incident what may not be done, and why.

    With `monitoring.mode` off nothing is done and nothing noted: there are only alerts.
    """
    state, mode, now = context.state, context.settings.acts, context.clock()
    verdict = load_verdict(state, day)
    choice = next((action for action in ACTIONS if action == verdict.state), NOTHING)
    done = {action.kind for action in actions.actions_of_day(state, day)}
    earlier = next((action for action in reversed(ACTIONS) if action in done), None)
    # Judged again a day may turn out worse: that a training was begun is no reason to go on showing bad rankings.
    if earlier and (choice, earlier) != (FALL_BACK, RETRAIN):
        # A person who released a version since has decided; an old day cleared must not hold it back again.
        return NOTHING if newer_verdict_day(state, day) else earlier
    if choice == NOTHING or mode == "off":
        return NOTHING
    if why := _why_not(state, mode, verdict):
        add_incident_note(state, verdict, f"{ACTIONS[choice]} was called for, and not begun: {why}")
        return NOTHING
    kind: actions.ActionKind = RETRAIN if choice == RETRAIN else FALL_BACK
    actions.record_action(state, Action(kind, day, verdict.version, verdict.reason), now)
    add_incident_note(state, verdict, f"{ACTIONS[choice]} was begun by itself")
    return choice


def _why_not(state: Client, mode: Mode, verdict: Verdict) -> str:
    """Why nothing may be done, or nothing."""
    if later := newer_verdict_day(state, verdict.day):
        return f"{later} is judged already, and decides"
    if paused := actions.pause_status(state):
        return f"{paused.who} switched it off at {paused.at:%F %H:%M} UTC ({paused.why})"
    if mode != "on":
        return f"monitoring.mode is {mode}; RANKLOOP_MONITORING__MODE=on lets it"
    return ""


def retraining_request(context: Context, day: date) -> dict[str, str]:
    """Return what a retraining is started with: as of which day, why, and since when something was wrong."""
    verdict = load_verdict(context.state, day)
    since = min(cause.since for cause in verdict.causes)
    return {"day": str(day), "reason": f"drift on {day}: {verdict.reason}", "since": str(since)}


def apply_fallback(context: Context, day: date) -> str:
    """Hold the champion back and publish the newest other rankings; return the batch that is live then, or nothing."""
    state, now = context.state, context.clock()
    verdict = load_verdict(state, day)
    if verdict.version is not None:
        actions.hold_version(state, verdict.version, f"{day}: {verdict.reason}", now)
    live = publish_fallback(state, now)
    _raise_held_back(state, verdict, live, now)
    return live


def _raise_held_back(state: Client, verdict: Verdict, batch: str, now: datetime) -> None:
    live = f"{batch} is live" if batch else "no other batch is there; the shop's own is being made"
    version = version_label(verdict.version)
    message = (
        f"{version.capitalize()} is held back since {verdict.day}: {verdict.reason}. {live}. It stays champion, and "
        f"ranks again after `rankloop monitoring release {verdict.version}`."
    )
    add_incident_note(state, verdict, f"{version} is held back; {live}")
    raise_alert(state, "held_back", version, message, now)
