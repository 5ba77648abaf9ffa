"""The drift rules as the table that docs/monitoring.md shows: each row follows from a rule's declaration."""

from collections.abc import Iterator
from pathlib import Path

from rankloop.monitoring.policy.declaration import DriftRule, Measures
from rankloop.monitoring.policy.rule_set import Policy, open_policy
from rankloop.settings.monitoring import MonitoringSettings

BEGIN = "<!-- rules: `rankloop monitoring rules --write docs/monitoring.md` writes this table; do not edit -->"
END = "<!-- end of rules -->"
COMMON = ("threshold", "severity", "days", "of", "min_rows")
HEAD = (
    "| rule | what it says | a day is bad from | it reads | root cause | leads to | days | rows at least |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def rules_table(policy: Policy) -> str:
    """Return a row for each rule, with its figures as they are set."""
    return "\n".join([*HEAD, *(_row(rule) for rule in policy.rules)]) + "\n"


def with_rules_table(page: str, policy: Policy) -> str:
    """Return the page with a new table of rules between its marks; what is written by hand stays."""
    before, _, remaining = page.partition(BEGIN)
    _, _, after = remaining.partition(END)
    return f"{before}{BEGIN}\n\n{rules_table(policy)}\n{END}{after}"


def write_rules_table(page: Path) -> None:
    """Write the table of the rules and their defaults into a page."""
    text = with_rules_table(page.read_text(encoding="utf-8"), open_policy(MonitoringSettings()))
    page.write_text(text, encoding="utf-8")


def _row(rule: DriftRule) -> str:
    meaning = " ".join((rule.__doc__ or "").split())
    reads = "; ".join(_reads(read) for read in rule.reads)
    days = f"{rule.days} of {rule.of}"
    cells = [f"`{rule.name}`", meaning, _limits(rule), reads, rule.cause, rule.severity, days, str(rule.min_rows)]
    return f"| {' | '.join(cells)} |"


def _limits(rule: DriftRule) -> str:
    return "; ".join(f"{figure}: {text}" for figure, text in _figures(rule))


def _figures(rule: DriftRule) -> Iterator[tuple[str, str]]:
    """Yield the threshold and the settings that only this rule has, each with what it means."""
    for name, field in type(rule).model_fields.items():
        value = getattr(rule, name)
        figure = f"{value:g}" if isinstance(value, int | float) else str(value)
        if name == "threshold":
            yield figure, field.description or ""
        elif name not in COMMON:
            yield f"`{name}` {figure}", field.description or ""


def _reads(read: Measures) -> str:
    measures = ", ".join(f"`{measure}`" for measure in read.measures) if read.measures != ("*",) else "all measures"
    subjects = "" if read.subjects == ("*",) else f" of {', '.join(f'`{subject}`' for subject in read.subjects)}"
    return f"`{read.table}`: `{read.signal}` {measures}{subjects}"
