"""Why the findings are there: wrong data, inputs that moved, or another taste; and what to do about it.

Wrong data comes first: whatever else is bad meanwhile follows from it, and no training fixes it. Inputs that moved are
a covariate shift, whether performance fell or still holds. Where performance fell, or a fresh model is better, while
the inputs that matter to the champion stayed, buyers' taste has changed: a concept drift.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.tables import DRIFT, QUALITY
from rankloop.monitoring.policy.comparisons import change_factor
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, COVARIATE_SHIFT, DATA_BUG, UNCLEAR, RootCauseKind
from rankloop.monitoring.policy.finding import Finding, Row, Rows, has_value, importance_shares
from rankloop.monitoring.policy.next_steps import (
    CALM_PSI,
    FEATURES,
    MAX_PLACES,
    SuspectFeature,
    next_steps,
    repair_steps,
)
from rankloop.monitoring.policy.places import affected_shops, worst_segments
from rankloop.monitoring.policy.rule_set import Policy
from rankloop.monitoring.policy.wording import finding_sentence, finding_sentences

HOLDS = "Performance holds so far."
MAX_SUSPECTS = 5


class RootCause(BaseModel):
    """One thing that is wrong, with every finding that follows from it."""

    model_config = ConfigDict(frozen=True)

    kind: RootCauseKind
    key: str
    """The same from day to day: one incident is open for it."""
    title: str
    findings: tuple[Finding, ...]
    reasons: tuple[str, ...]
    suspects: tuple[SuspectFeature, ...]
    where: tuple[str, ...]
    todo: tuple[str, ...]
    concerns: str

    @property
    def since(self) -> date:
        """The first bad day of the findings behind it."""
        behind = [finding for finding in self.findings if finding.role == "data" or self.kind != DATA_BUG]
        return min(day for finding in behind for day in finding.days)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it was found in: only once these are measured again can it be over."""
        return tuple(sorted({finding.table for finding in self.findings}))


def root_causes(
    findings: Sequence[Finding], rows: Rows, policy: Policy, importance: Mapping[str, float]
) -> tuple[RootCause, ...]:
    """Return as few root causes as explain the findings; none where nothing is wrong."""
    data = [finding for finding in findings if finding.role == "data"]
    others = [finding for finding in findings if finding.role != "data"]
    suspects = suspect_features(rows.get(DRIFT, ()), importance)
    if not any(finding.standing for finding in data) and not others:
        return ()
    if data:
        return tuple(_data_bugs(data, others, rows, policy, suspects))
    return (_drift(others, rows, policy, suspects),)


def suspect_features(rows: Iterable[Row], importance: Mapping[str, float]) -> tuple[SuspectFeature, ...]:
    """Return the features of the newest day with the highest product of drift and importance."""
    features = [row for row in rows if row["signal"] == "feature" and has_value(row["value"])]
    newest = max((row[DAY] for row in features), default=None)
    psi = {row["subject"]: row["value"] for row in features if row[DAY] == newest and row["measure"] == "psi"}
    means = {row["subject"]: change_factor(row) for row in features if row[DAY] == newest and row["measure"] == "mean"}
    weights = importance_shares(psi, importance)
    suspects = [SuspectFeature(feature=n, psi=psi[n], importance=weights[n], factor=means.get(n)) for n in psi]
    suspects.sort(key=lambda suspect: (-suspect.blame, -suspect.psi, suspect.feature))
    return tuple(suspects[:MAX_SUSPECTS])


def _data_bugs(
    data: Iterable[Finding],
    others: Sequence[Finding],
    rows: Rows,
    policy: Policy,
    suspects: tuple[SuspectFeature, ...],
) -> Iterable[RootCause]:
    """Yield a root cause for each source that is wrong; the first also has all other findings."""
    by_source: dict[str, list[Finding]] = defaultdict(list)
    for finding in data:
        source = finding.subject.partition(".")[0] if finding.table == QUALITY else FEATURES
        by_source[source].append(finding)
    if len(by_source) > 1 and FEATURES in by_source:
        # The features are wrong because a source is.
        sources = sorted(set(by_source) - {FEATURES})
        by_source[sources[0]] += by_source.pop(FEATURES)
    follows = tuple(others)
    for source in sorted(by_source):
        findings = by_source[source]
        days = sorted({day for finding in findings for day in finding.days})
        where = [*affected_shops(findings, rows), *sorted({finding.subject for finding in findings})]
        yield RootCause(
            kind=DATA_BUG,
            key=f"{DATA_BUG}: {source}",
            title=f"The data of {source} is wrong" if source != FEATURES else "Features hold what cannot be",
            findings=(*findings, *follows),
            reasons=tuple(_data_bug_reasons(findings, policy, others_follow=bool(follows))),
            suspects=suspects,
            where=tuple(where[: 2 * MAX_PLACES]),
            todo=repair_steps(source, days),
            concerns=f"the data platform, and the owner of {source}",
        )
        follows = ()


def _data_bug_reasons(findings: Sequence[Finding], policy: Policy, *, others_follow: bool) -> Iterable[str]:
    yield from (finding_sentence(finding, policy) for finding in findings)
    if not any(finding.standing for finding in findings):
        yield "That is over; what is still bad may come from it, so nothing is trained on those days yet."
    if others_follow:
        yield "What else is bad may follow from wrong data, and no training fixes that."


def _drift(findings: Sequence[Finding], rows: Rows, policy: Policy, suspects: tuple[SuspectFeature, ...]) -> RootCause:
    """Return the root cause of drift: covariate shift, concept drift, or unclear."""
    rules = {finding.rule: policy.rule(finding.rule) for finding in findings}
    fell = [finding for finding in findings if finding.role == "performance"]
    taste = [finding for finding in findings if finding.role == "concept"]
    # A feature that the champion hardly goes by may move as it likes: that is not why performance fell.
    explained = not (fell or taste) or any(rule.explains_performance for rule in rules.values())
    if explained and any(rule.cause == COVARIATE_SHIFT for rule in rules.values()):
        kind, title = COVARIATE_SHIFT, "The inputs have moved"
        why = "Performance has fallen with it." if fell else HOLDS
    elif fell or taste:
        kind, title, why = CONCEPT_DRIFT, "Buyers like other things than they did", _inputs_stayed(suspects)
    else:
        kind, title, why = UNCLEAR, "Something moved, and nothing says yet what it does", HOLDS
    segments = worst_segments(rows)
    return RootCause(
        kind=kind,
        key=kind,
        title=title,
        findings=tuple(findings),
        reasons=(*finding_sentences(findings, policy), why),
        suspects=suspects,
        where=tuple(segments.values()),
        todo=next_steps(kind, findings, rows, policy, suspects, tuple(segments)),
        concerns="the ML lead" if kind != UNCLEAR else "nobody yet",
    )


def _inputs_stayed(suspects: Sequence[SuspectFeature]) -> str:
    if not suspects:
        return "Of the inputs nothing was measured that says otherwise."
    most = max(suspects, key=lambda suspect: suspect.psi)
    if most.psi < CALM_PSI:
        return f"The inputs stayed: of the suspects {most.feature} moved most, with a PSI of {most.psi:.2f}."
    return (
        f"The inputs that the champion goes by explain little of it: of the suspects {most.feature} moved most, with a "
        f"PSI of {most.psi:.2f}, and has {most.importance:.1%} of all importance."
    )
