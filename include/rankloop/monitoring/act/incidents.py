"""Incidents: an alert for each root cause, open for as long as the cause is there, with all that on-call needs.

The market's days are what counts, not when they were judged: a day that is judged again after a later one was changes
no incident.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import get_args

from rankloop.context import Context
from rankloop.errors import TransientError
from rankloop.mongo import Client
from rankloop.monitoring.policy.root_cause import RootCause
from rankloop.monitoring.policy.verdict import State, Verdict, load_verdict, newer_verdict_day
from rankloop.monitoring.report.pages import render_cause, render_incident
from rankloop.state.alerts import add_action_note, close_alert, list_alerts, mark_notified, raise_alert

log = logging.getLogger(__name__)
DRIFT = "drift"
"""The kind of these alerts."""


class NotificationError(TransientError):
    """Alerts that the service that notifies on-call did not take."""


def update_incidents(context: Context, day: date) -> str:
    """Open, renew and close incidents after a day's verdict; return the pages that are news to on-call, or nothing.

    The page of each cause is in the log, whether it is news or not.
    """
    state, now = context.state, context.clock()
    verdict = load_verdict(state, day)
    addresses = context.settings.airflow, context.settings.mlflow
    pages = [(cause, render_cause(cause, verdict, *addresses)) for cause in _grave(verdict)]
    for _, page in pages:
        log.info("%s", page)
    if newer_verdict_day(state, day):
        return ""
    news = [page for cause, page in pages if _raised(state, cause, verdict, page, now)]
    _close_what_is_over(state, verdict, now)
    return "\n\n".join(news)


def _grave(verdict: Verdict) -> list[RootCause]:
    """Return the causes that call for more than a watch."""
    return [cause for cause in verdict.causes if any(f.persistent and f.severity != "watch" for f in cause.findings)]


def _raised(state: Client, cause: RootCause, verdict: Verdict, page: str, now: datetime) -> bool:
    """Open or renew the cause's incident; whether it is news."""
    message = f"{cause.title}, since {cause.since}. {cause.reasons[0]} `rankloop alerts show '{DRIFT}:{cause.key}'`"
    facts = {
        "day": str(verdict.day),
        "since": str(cause.since),
        "version": verdict.version,
        "severity": verdict.state,
        "tables": list(cause.tables),
        "report": page,
    }
    worse = _worse(state, cause.key, verdict.state)
    return raise_alert(state, DRIFT, cause.key, message, now, worse=worse, **facts)


def _worse(state: Client, subject: str, severity: State) -> bool:
    """Return whether the incident is open, and calls for more than on-call was notified of."""
    gravity = get_args(State).index
    open_incidents = [alert for alert in list_alerts(state, kind=DRIFT) if alert.subject == subject]
    return any(gravity(severity) > gravity(str(alert.facts["severity"])) for alert in open_incidents)


def _close_what_is_over(state: Client, verdict: Verdict, now: datetime) -> None:
    """Close the incidents whose cause is gone, once every table that it was found in is measured again."""
    remaining = {cause.key for cause in verdict.causes}
    for incident in list_alerts(state, kind=DRIFT):
        if incident.subject not in remaining and set(incident.facts.get("tables", ())) <= set(verdict.measured):
            close_alert(state, DRIFT, incident.subject, now)


def add_incident_note(state: Client, verdict: Verdict, note: str) -> None:
    """Note on the day's incidents what was done, or would have been."""
    for cause in verdict.causes:
        add_action_note(state, DRIFT, cause.key, f"{verdict.day}: {note}")


def notify_on_call(context: Context, send: Callable[[str, str], bool]) -> list[str]:
    """Send on-call the page of every open alert, of whatever kind, that is news; return the names of these.

    `send` takes a title and a text, and returns whether they arrived. What did not is sent the next time.
    """
    state, now = context.state, context.clock()
    news, arrived = [alert for alert in list_alerts(state) if alert.told_at is None], []
    for alert in news:
        if send(f"Rankloop: {alert.name}", render_incident(alert)):
            mark_notified(state, alert, now)
            arrived.append(alert.name)
    if missing := [f"'{alert.name}'" for alert in news if alert.name not in arrived]:
        raise NotificationError(
            f"Apprise did not take {len(missing)} of {len(news)} alerts by the Airflow connection "
            f"{context.settings.monitoring.apprise}: {', '.join(missing)}. They stay open, and are sent again by the "
            "next try; what the service answered is above. Fix the connection, or the service, and clear `tell`; see "
            "docs/runbook.md#drift_checks."
        )
    return arrived
