"""Findings in words.

A sentence never begins with the name of a feature, column or segment: such a name is written as it is, whatever stands
before it.
"""

import math
from collections.abc import Sequence
from typing import Any

from rankloop.monitoring.policy.declaration import DriftRule
from rankloop.monitoring.policy.finding import ALL, Finding
from rankloop.monitoring.policy.rule_set import Policy

LARGE = 1000
FIGURES = 3
"""Significant figures of the largest of a value and its bounds."""
MAX_DECIMALS = 6
MAX_SEGMENTS = 3
"""Segments of a rule that get a sentence of their own."""
CAPITALS = ("auc", "ctr", "gmv", "ks", "map", "ndcg", "psi")
SPELLED = {"p05": "5th percentile", "p95": "95th percentile"}


def finding_sentences(findings: Sequence[Finding], policy: Policy) -> list[str]:
    """Return a sentence for each finding; of segments only the worst of each rule, and how many more there are.

    Where all lists are bad by a measure most segments are too, which adds nothing.
    """
    overall = {(finding.rule, finding.measure) for finding in findings if finding.subject == ALL}
    segments: dict[str, dict[str, Finding]] = {}
    for finding in sorted((finding for finding in findings if finding.of_segment), key=_badness):
        if (finding.rule, finding.measure) not in overall:
            segments.setdefault(finding.rule, {}).setdefault(finding.subject, finding)
    text = [finding_sentence(finding, policy) for finding in findings if not finding.of_segment]
    for rule in sorted(segments):
        worst = list(segments[rule].values())
        text += [finding_sentence(finding, policy) for finding in worst[:MAX_SEGMENTS]]
        if more := len(worst[MAX_SEGMENTS:]):
            text.append(f"By the same rule {more} more {'segment is' if more == 1 else 'segments are'} bad.")
    return text


def _badness(finding: Finding) -> float:
    """Return a key that sorts findings by how far the value fell: the smaller, the worse."""
    return finding.value / finding.expected if finding.expected else -abs(finding.value)


def finding_sentence(finding: Finding, policy: Policy) -> str:
    """Return what is wrong, with figures, and on how many days."""
    rule = policy.rule(finding.rule)
    return f"{rule.sentence.format(**sentence_values(finding, rule))}{_days(finding)}."


def sentence_values(finding: Finding, rule: DriftRule) -> dict[str, Any]:
    """Return all that a rule's sentence may name: the finding's fields, and these in words."""
    expected, form = finding.expected or 0.0, _format(finding, rule)
    return {
        **finding.model_dump(),
        "expected": expected,
        "measure": measure_name(finding.measure),
        "lists": _lists(finding),
        "value_with_interval": " ".join([format(finding.value, form), *_interval(finding, form)]),
        "expected_alike": format(expected, form),
        "amount": format_amount(finding.value),
        "expected_amount": format_amount(expected),
        "factor": format_factor(finding.value, expected),
        **rule.values(finding),
    }


def measure_name(name: str) -> str:
    """Return a measure as people write it, such as `CTR@10`."""
    kind, at, k = name.partition("@")
    words = [word.upper() if word in CAPITALS else SPELLED.get(word, word) for word in kind.split("_")]
    return f"{' '.join(words)}{at}{k}"


def format_amount(value: float) -> str:
    """Return a figure of any size, readable."""
    return f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.4g}"


def format_factor(value: float, expected: float) -> str:
    """Return by what factor a figure has changed, in words."""
    if value <= 0 or expected <= 0:
        return "another sign"
    return f"{value / expected:,.0f} times as much" if value > expected else f"{expected / value:,.0f} times less"


def decimals(*values: float) -> int:
    """Return how many decimals give the largest of these values three figures."""
    largest = max((abs(value) for value in values), default=0.0)
    if not largest:
        return FIGURES
    return min(max(FIGURES - 1 - math.floor(math.log10(largest)), 0), MAX_DECIMALS)


def _format(finding: Finding, rule: DriftRule) -> str:
    """Return the number format that the value, its bounds and the expected value share."""
    sign = "+" if rule.signed else ""
    return f"{sign}.0%" if rule.percent else f"{sign},.{decimals(finding.value, *_bounds(finding))}f"


def _interval(finding: Finding, form: str) -> list[str]:
    bounds = [format(bound, form) for bound in _bounds(finding)]
    return [f"[{', '.join(bounds)}]"] if bounds else []


def _bounds(finding: Finding) -> list[float]:
    """Both, or none where one of them is not known."""
    bounds = [bound for bound in (finding.low, finding.high) if bound is not None and math.isfinite(bound)]
    return bounds if len(bounds) == len(("low", "high")) else []


def _lists(finding: Finding) -> str:
    """Return in words which lists are meant."""
    segment = "" if finding.subject == ALL else f"the segment {finding.subject}"
    if finding.signal == "reranked":
        return f"{segment}{' of ' * bool(segment)}the shop's own lists in the champion's order"
    return segment or "all lists"


def _days(finding: Finding) -> str:
    first, last = finding.days[0], finding.days[-1]
    if not finding.standing:
        return f", until {last}"
    if finding.persistent or finding.needed == 1:
        return f", since {first}" if first != last else f", on {last}"
    return f", on {last} alone: bad {len(finding.days)} of the {finding.needed} days that it takes"
