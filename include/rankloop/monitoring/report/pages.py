"""Root causes and incidents as pages in Markdown, for on-call."""

from collections.abc import Sequence

from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.next_steps import SuspectFeature
from rankloop.monitoring.policy.root_cause import RootCause
from rankloop.monitoring.policy.verdict import Verdict
from rankloop.monitoring.report.addresses import report_url
from rankloop.state.alerts import Alert

RUNBOOK = "docs/runbook.md#drift_checks"


def render_cause(cause: RootCause, verdict: Verdict, airflow: str, mlflow: str) -> str:
    """Return a root cause as a page, what to do about it first, with links to Airflow and MLflow."""
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
        *_listed("Read on", [f"- {link}" for link in _links(verdict, airflow, mlflow)]),
    ]
    return "\n".join(lines) + "\n"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _suspects(suspects: Sequence[SuspectFeature]) -> list[str]:
    if not suspects:
        return []
    factors = ["-" if suspect.factor is None else f"{suspect.factor:.3g}" for suspect in suspects]
    rows = [
        f"| {suspect.feature} | {suspect.psi:.2f} | {suspect.importance:.1%} | {factor} |"
        for suspect, factor in zip(suspects, factors, strict=True)
    ]
    head = ["| feature | PSI | importance | mean, times the usual |", "| --- | --- | --- | --- |"]
    return _listed("Features, by drift and importance", [*head, *rows])


def _links(verdict: Verdict, airflow: str, mlflow: str) -> list[str]:
    links = [f"What each task's failure means, and what is safe to clear: {RUNBOOK}"]
    # Where inputs were measured there is a page, or will be in a moment: nothing waits for it to be drawn.
    if DRIFT in verdict.measured:
        links.append(f"Each feature then and now: {report_url(airflow, verdict.day)}")
    if verdict.version is not None:
        links.append(f"The champion: {mlflow}/#/models/rankloop-ranker/versions/{verdict.version}")
    links.append(f"The verdict: `rankloop monitoring show --day {verdict.day}`; live results: `rankloop live show`")
    return links


def render_incident(incident: Alert) -> str:
    """Return an alert as a page, with what was done about it: what `rankloop alerts show` prints."""
    page = str(incident.facts.get("report") or f"# {incident.subject}\n\n{incident.message}\n")
    since = incident.facts.get("since") or f"{incident.first_seen:%F %H:%M}"
    over = f"closed at {incident.closed_at:%F %H:%M} UTC; " if incident.closed_at else ""
    lines = [page, "## State", "", f"- {over}open since {since}; last seen {incident.last_seen:%F %H:%M} UTC"]
    if by := incident.acknowledged:
        lines.append(f"- {by['who']} knows of it since {by['at']:%F %H:%M} UTC: {by['note'] or 'no note'}")
    lines += _listed("What was done", [f"- {what}" for what in incident.done])
    return "\n".join(lines) + "\n"
