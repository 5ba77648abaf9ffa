"""Findings in words."""

from rankloop.monitoring.findings import Finding

LARGE = 1000
SHORT = ("auc", "ctr", "ks", "map", "ndcg", "psi")
"""What people write in capitals."""
NAMES = {
    "inputs": "the drifted features have {value:.0%} of all importance (limit {threshold:.0%})",
    "feature": "{subject} moved by a {measure} of {value:.2f}, where days of the reference differ by {expected:.3f}",
    "prediction": "the scores are spread otherwise: {measure} {value:.2f} (limit {threshold:g})",
    "population": "a small classifier tells today's rows from the reference: AUC {value:.2f} (limit {threshold:g})",
    "missing": "{subject} is empty in {value:.0%} of the rows, where {expected:.0%} are usual",
    "new_values": "{subject} has values never seen before in {value:.0%} of the rows (limit {threshold:.0%})",
    "catalogue": "there are {value:,.0f} {subject}, where {expected:,.0f} are usual",
    "jump": "the {measure} of {subject} is {amount}, where {usual} is usual: {factor}",
    "performance": "{measure} of {subject} is {value:.4f}{interval}, where {expected:.4f} was promised",
    "against_control": "{measure} is {value:+.4g}{interval} against control",
    "estimated": "{measure} is estimated at {value:.4f}{interval}, where {expected:.4f} is expected",
    "fresh": "a fresh model gains {value:+.4f}{interval} of {measure} over the champion",
    "residual": "{subject}: {value:+.0%}{interval} clicks against what the scores say",
    "source_rows": "{subject} sent {value:,.0f} rows, where {expected:,.0f} are usual",
    "quarantined": "{value:.1%} of {subject} were set aside, where {expected:.1%} are usual",
    "off_scale": "{subject} is off by a large factor in {value:.1%} of the rows, where {expected:.1%} are usual",
    "columns": "{measure} of {subject} is {value:.1%}, where {expected:.1%} is usual",
}


def sentence(finding: Finding) -> str:
    """What is wrong, with figures, and on how many days."""
    shown = finding.low is not None and finding.high is not None
    figures = finding.model_dump() | {
        "interval": f" [{finding.low:+.4g}, {finding.high:+.4g}]" if shown else "",
        "measure": metric(finding.measure),
        "amount": amount(finding.value),
        "usual": amount(finding.expected or 0.0),
        "factor": factor(finding.value, finding.expected or 0.0),
        "expected": finding.expected or 0.0,
    }
    text = NAMES[finding.rule].format(**figures)
    return f"{text[0].upper()}{text[1:]}{_days(finding)}."


def metric(name: str) -> str:
    """A measure as people write it, `CTR@10`."""
    kind, at, k = name.partition("@")
    return f"{kind.upper() if kind in SHORT else kind}{at}{k}".replace("_", " ")


def amount(value: float) -> str:
    """A figure of whatever size."""
    return f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.4g}"


def factor(value: float, expected: float) -> str:
    """By what a figure has changed, in words."""
    if value <= 0 or expected <= 0:
        return "another sign"
    return f"{value / expected:,.0f} times as much" if value > expected else f"{expected / value:,.0f} times less"


def _days(finding: Finding) -> str:
    first, last = finding.days[0], finding.days[-1]
    if not finding.standing:
        return f", until {last}"
    if finding.persistent or finding.needed == 1:
        return f", since {first}" if first != last else f", on {last}"
    return f", on {last} alone: bad {len(finding.days)} of the {finding.needed} days that it takes"
