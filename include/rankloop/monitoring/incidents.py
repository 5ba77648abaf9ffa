"""Incidents: an alert a cause, open for as long as the cause is there, with all that whoever is woken needs.

The market's days are what counts, not when they were judged: a day that is judged again after a later one was changes
no incident.
"""

from datetime import date, datetime

from rankloop.champions.standing import opened
from rankloop.marketplace.alerts import alerts, close_alert, note_done, raise_alert
from rankloop.marketplace.connection import Client
from rankloop.monitoring.causes import Cause
from rankloop.monitoring.pages import told
from rankloop.monitoring.verdict import Verdict, judged_later, verdict_of
from rankloop.settings import Settings

DRIFT = "drift"
"""The kind of these alerts."""


def explain(settings: Settings, day: date, now: datetime) -> str:
    """Open, renew and close incidents after a day's verdict; what is news for on-call, in words, or nothing."""
    with opened(settings) as client:
        verdict = verdict_of(client, day)
        if judged_later(client, day):
            return ""
        news = [page for cause in _grave(verdict) if (page := _raised(settings, client, cause, verdict, now))]
        _close_what_is_over(client, verdict, now)
    return "\n\n".join(news)


def _grave(verdict: Verdict) -> list[Cause]:
    """The causes that somebody has to know of."""
    return [cause for cause in verdict.causes if any(f.persistent and f.severity != "watch" for f in cause.findings)]


def _raised(settings: Settings, client: Client, cause: Cause, verdict: Verdict, now: datetime) -> str:
    """Its page, if it is news."""
    page = told(settings, cause, verdict)
    message = f"{cause.title}, since {cause.since}. {cause.reasons[0]} `rankloop alerts show '{DRIFT}:{cause.key}'`"
    facts = {
        "day": str(verdict.day),
        "since": str(cause.since),
        "version": verdict.version,
        "severity": verdict.state,
        "tables": list(cause.tables),
        "report": page,
    }
    return page if raise_alert(client, DRIFT, cause.key, message, now, **facts) else ""


def _close_what_is_over(client: Client, verdict: Verdict, now: datetime) -> None:
    """Close the incidents that nothing stands for any more, once all that they were known from is measured again."""
    there = {cause.key for cause in verdict.causes}
    for incident in alerts(client, kind=DRIFT):
        if incident.subject not in there and set(incident.facts.get("tables", ())) <= set(verdict.measured):
            close_alert(client, DRIFT, incident.subject, now)


def note_on(client: Client, verdict: Verdict, what: str) -> None:
    """Note on the day's incidents what was done, or would have been."""
    for cause in verdict.causes:
        note_done(client, DRIFT, cause.key, f"{verdict.day}: {what}")
