"""Incidents: an alert a cause, open for as long as the cause is there, with all that whoever is woken needs.

The market's days are what counts, not when they were judged: a day that is judged again after a later one was changes
no incident.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import get_args

from rankloop.errors import TransientError
from rankloop.mongo import Client, connect
from rankloop.monitoring.policy.root_cause import RootCause
from rankloop.monitoring.policy.verdict import State, Verdict, judged_later, verdict_of
from rankloop.monitoring.report.pages import incident_page, told
from rankloop.settings import Settings
from rankloop.state.alerts import add_action_note, close_alert, list_alerts, mark_notified, raise_alert

log = logging.getLogger(__name__)
DRIFT = "drift"
"""The kind of these alerts."""


class NotToldError(TransientError):
    """Alerts that the service by which on-call is told did not take."""


def explain(settings: Settings, day: date, now: datetime) -> str:
    """Open, renew and close incidents after a day's verdict; what is news for on-call, in words, or nothing.

    The page of each cause is in the log, whether it is news or not.
    """
    with connect(settings.mongo) as client:
        verdict = verdict_of(client, day)
        pages = [(cause, told(settings, cause, verdict)) for cause in _grave(verdict)]
        for _, page in pages:
            log.info("%s", page)
        if judged_later(client, day):
            return ""
        news = [page for cause, page in pages if _raised(client, cause, verdict, page, now)]
        _close_what_is_over(client, verdict, now)
    return "\n\n".join(news)


def _grave(verdict: Verdict) -> list[RootCause]:
    """The causes that somebody has to know of."""
    return [cause for cause in verdict.causes if any(f.persistent and f.severity != "watch" for f in cause.findings)]


def _raised(client: Client, cause: RootCause, verdict: Verdict, page: str, now: datetime) -> bool:
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
    worse = _worse(client, cause.key, verdict.state)
    return raise_alert(client, DRIFT, cause.key, message, now, worse=worse, **facts)


def _worse(client: Client, subject: str, state: State) -> bool:
    """Whether the incident is open, and more is called for than on-call was told."""
    gravity = get_args(State).index
    known = [str(one.facts["severity"]) for one in list_alerts(client, kind=DRIFT) if one.subject == subject]
    return any(gravity(state) > gravity(severity) for severity in known)


def _close_what_is_over(client: Client, verdict: Verdict, now: datetime) -> None:
    """Close the incidents that nothing stands for any more, once all that they were known from is measured again."""
    there = {cause.key for cause in verdict.causes}
    for incident in list_alerts(client, kind=DRIFT):
        if incident.subject not in there and set(incident.facts.get("tables", ())) <= set(verdict.measured):
            close_alert(client, DRIFT, incident.subject, now)


def note_on(client: Client, verdict: Verdict, what: str) -> None:
    """Note on the day's incidents what was done, or would have been."""
    for cause in verdict.causes:
        add_action_note(client, DRIFT, cause.key, f"{verdict.day}: {what}")


def tell_on_call(settings: Settings, send: Callable[[str, str], bool], now: datetime) -> list[str]:
    """Send on-call the page of every open alert, of whatever kind, that is news; the names of these.

    `send` takes a title and a text, and says whether they arrived. What did not is sent the next time.
    """
    with connect(settings.mongo) as client:
        news, arrived = [alert for alert in list_alerts(client) if alert.told_at is None], []
        for alert in news:
            if send(f"Rankloop: {alert.name}", incident_page(alert)):
                mark_notified(client, alert, now)
                arrived.append(alert.name)
    if missing := [f"'{alert.name}'" for alert in news if alert.name not in arrived]:
        raise NotToldError(
            f"Apprise did not take {len(missing)} of {len(news)} alerts by the Airflow connection "
            f"{settings.monitoring.apprise}: {', '.join(missing)}. They stay open, and are sent again by the next try; "
            "what the service answered is above. Mend the connection, or the service, and clear `tell`; see "
            "docs/runbook.md#drift_checks."
        )
    return arrived
