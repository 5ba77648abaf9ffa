"""From the measures of the last days to findings: which measures break which rule, and on how many days."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.comparisons import confidence_interval
from rankloop.monitoring.policy.declaration import DriftRule, Measures
from rankloop.monitoring.policy.finding import ALL, Finding, Row, Rows
from rankloop.monitoring.policy.rule_set import Policy


def relevant_rows(rows: Rows, version: int | None) -> Rows:
    """Return the rows that count: of models only those of the champion, so that a promotion starts again.

    Wrong data stays wrong, whichever version ranks.
    """
    return {
        table: [row for row in measured if table == QUALITY or (version is not None and row["version"] == version)]
        for table, measured in rows.items()
    }


def find_findings(rows: Rows, policy: Policy, importance: Mapping[str, float], day: date) -> tuple[Finding, ...]:
    """Return everything in these rows that breaks a rule as of a day, in a fixed order.

    Wrong data is a finding even when it is over: something else may still be bad because of it.
    """
    findings = [
        finding
        for rule in policy.rules
        for read in rule.reads
        for finding in _findings_of(rule, read, rows.get(read.table, ()), policy, importance, day)
    ]
    return tuple(sorted(findings, key=lambda one: (one.rule, one.table, one.signal, one.subject, one.measure)))


def _findings_of(  # noqa: PLR0913, PLR0917  (all that a finding follows from)
    rule: DriftRule,
    read: Measures,
    rows: Sequence[Row],
    policy: Policy,
    importance: Mapping[str, float],
    day: date,
) -> Iterator[Finding]:
    """Yield what a rule finds in one set of the measurements it reads, by subject and measure."""
    prepared = rule.prepare([row for row in rows if read.include(row)], importance)
    window = _window(policy, rule, read, day)
    judged = [row for row in prepared if row["rows"] >= rule.min_rows]
    comparisons = Counter((row[DAY], row["subject"] == ALL) for row in judged)
    bad: dict[tuple[str, str], dict[date, Row]] = defaultdict(dict)
    for row in judged:
        interval = confidence_interval(row, policy.settings.confidence, comparisons[row[DAY], row["subject"] == ALL])
        if row[DAY] in window and rule.is_bad(row, interval):
            bad[row["subject"], row["measure"]][row[DAY]] = row
    for by_day in bad.values():
        finding = _finding(rule, read, window, by_day)
        if finding.standing or rule.role == "data":
            yield finding


def _window(policy: Policy, rule: DriftRule, read: Measures, day: date) -> list[date]:
    """Return the days that count, the newest last."""
    newest = day - timedelta(days=read.days_later)
    # Wrong data explains what is bad for as long as any rule looks back.
    days = policy.look_back_days if rule.role == "data" else rule.of
    return [newest - timedelta(days=before) for before in reversed(range(days))]


def _finding(rule: DriftRule, read: Measures, window: Sequence[date], bad: Mapping[date, Row]) -> Finding:
    row = bad[max(bad)]
    standing = window[-1] in bad
    enough = len(bad.keys() & set(window[-rule.of :])) >= rule.days
    finding = Finding(
        rule=rule.name,
        role=rule.role,
        table=read.table,
        signal=read.signal,
        subject=row["subject"],
        measure=row["measure"],
        severity=rule.severity,
        days=tuple(sorted(bad)),
        needed=rule.days,
        of=rule.of,
        standing=standing,
        persistent=standing and enough,
        value=row["value"],
        low=row["low"],
        high=row["high"],
        expected=row["expected"],
        threshold=rule.limit,
        rows=row["rows"],
    )
    # One segment is no reason to retrain for everybody, or to fall back.
    return finding.model_copy(update={"severity": "alert"}) if finding.of_segment else finding
