"""Verdicts and incidents on a page, in Markdown, for somebody who was asleep."""

from collections.abc import Sequence

from rankloop.monitoring.measure.measures import DRIFT
from rankloop.monitoring.policy.next_steps import SuspectFeature
from rankloop.monitoring.policy.root_cause import RootCause
from rankloop.monitoring.policy.verdict import Verdict
from rankloop.monitoring.report.addresses import address_of
from rankloop.settings import Settings
from rankloop.state.alerts import Alert

RUNBOOK = "docs/runbook.md#drift_checks"


def told(settings: Settings, cause: RootCause, verdict: Verdict) -> str:
    """A cause, what to do about it first."""
    champion = f"Champion is version {verdict.version}" if verdict.version is not None else "There is no champion"
    judged = f"Judged for {verdict.day}: **{verdict.state}**. {champion}."
    lines = [
        f"# {cause.title}",
        "",
        f"{cause.kind.capitalize()}, since {cause.since}. {judged}",
        *_listed("What to do", [f"{n}. {step}" for n, step in enumerate(cause.todo, 1)]),
        *_listed("What is wrong", [f"- {reason}" for reason in cause.reasons]),
        *_listed("Where it sits", [f"- {place}" for place in cause.where]),
        *_suspects(cause.suspects),
        *_listed("What is not done, and why", [f"- {why}" for why in verdict.held_back]),
        *_listed("Whom it concerns", [f"{cause.concerns[0].upper()}{cause.concerns[1:]}."]),
        *_listed("Read on", [f"- {link}" for link in _links(settings, verdict)]),
    ]
    return "\n".join(lines) + "\n"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _suspects(suspects: Sequence[SuspectFeature]) -> list[str]:
    if not suspects:
        return []
    factors = ["-" if one.factor is None else f"{one.factor:.3g}" for one in suspects]
    rows = [
        f"| {one.feature} | {one.psi:.2f} | {one.importance:.1%} | {factor} |"
        for one, factor in zip(suspects, factors, strict=True)
    ]
    head = ["| feature | PSI | importance | mean, times the usual |", "| --- | --- | --- | --- |"]
    return _listed("Features, by drift and importance", [*head, *rows])


def _links(settings: Settings, verdict: Verdict) -> list[str]:
    found = [f"What each task's failure means, and what is safe to clear: {RUNBOOK}"]
    # Where inputs were measured there is a page, or will be in a moment: nothing waits for it to be drawn.
    if DRIFT in verdict.measured:
        found.append(f"Each feature then and now: {address_of(settings, verdict.day)}")
    if verdict.version is not None:
        found.append(f"The champion: {settings.mlflow}/#/models/rankloop-ranker/versions/{verdict.version}")
    found.append(f"The verdict: `rankloop monitoring show --day {verdict.day}`; live results: `rankloop live show`")
    return found


def incident_page(incident: Alert) -> str:
    """An alert, with what was done about it: what `rankloop alerts show` prints."""
    page = str(incident.facts.get("report") or f"# {incident.subject}\n\n{incident.message}\n")
    since = incident.facts.get("since") or f"{incident.first_seen:%F %H:%M}"
    over = f"closed at {incident.closed_at:%F %H:%M} UTC; " if incident.closed_at else ""
    lines = [page, "## State", "", f"- {over}open since {since}; last seen {incident.last_seen:%F %H:%M} UTC"]
    if known := incident.acknowledged:
        lines.append(f"- {known['who']} knows of it since {known['at']:%F %H:%M} UTC: {known['note'] or 'no note'}")
    lines += _listed("What was done", [f"- {what}" for what in incident.done])
    return "\n".join(lines) + "\n"
