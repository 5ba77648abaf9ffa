"""Findings in words.

A sentence never begins with the name of a feature, column or segment: such a name is written as it is, whatever stands
before it.
"""

import math
from collections.abc import Sequence

from rankloop.monitoring.policy.findings import ALL, Finding

LARGE = 1000
FIGURES = 3
"""Figures that the largest of a value and its bounds is told with."""
MOST_PLACES = 6
MOST_SEGMENTS = 3
"""Segments of a rule that are told one by one."""
SHORT = ("auc", "ctr", "gmv", "ks", "map", "ndcg", "psi")
"""What people write in capitals."""
SPELLED = {"p05": "5th percentile", "p95": "95th percentile"}
AGAINST = {"jumped": "the snapshot before", "off_scale": "the median of its category"}
"""What a price is held against, by measure."""
CHANGES = ("against_control", "fresh", "residual")
"""Rules of which the value is a difference: it has a sign, which a plain value has not."""
NAMES = {
    "inputs": "The drifted features have {value:.0%} of all importance (limit {threshold:.0%})",
    "feature": "The feature {subject} moved by a {measure} of {value:.2f}, where days of the reference differ by "
    "{expected:.3f}",
    "prediction": "The scores are spread otherwise: {measure} {value:.2f} (limit {threshold:g})",
    "population": "A small classifier tells today's rows from the reference: AUC {value:.2f} (limit {threshold:g})",
    "missing": "The feature {subject} is empty in {value:.0%} of the rows, where {expected:.0%} are usual",
    "new_values": "The feature {subject} has values never seen before in {value:.0%} of the rows "
    "(limit {threshold:.0%})",
    "catalogue": "There are {value:,.0f} {subject}, where {expected:,.0f} are usual",
    "jump": "The {measure} of {subject} is {amount}, where {usual} is usual: {factor}",
    "performance": "The {measure} over {lists} is {shown}, where {promised} was promised",
    "against_control": "Buyers who are shown our rankings differ from control by {shown} in {measure}",
    "estimated": "The {measure} over {lists} is estimated at {shown}, where {promised} is expected",
    "fresh": "A fresh model gains {shown} of {measure} over the champion",
    "residual": "Clicks over {lists} differ by {shown} from what the scores say",
    "source_rows": "The source {subject} sent {value:,.0f} rows, where {expected:,.0f} are usual",
    "quarantined": "Of the rows of {subject} {value:.1%} were set aside, where {expected:.1%} are usual",
    "off_scale": "Against {against}, {subject} is off by a large factor in {value:.1%} of the rows, where "
    "{expected:.1%} are usual",
    "columns": "The column {subject} is empty in {value:.1%} of the rows, where {expected:.1%} are usual",
}


def sentences(findings: Sequence[Finding]) -> list[str]:
    """What is wrong, a sentence a finding; of segments only the worst of each rule, and how many more there are.

    Where all lists are bad by a measure most segments are too, which says nothing more.
    """
    everywhere = {(one.rule, one.measure) for one in findings if one.subject == ALL}
    segments: dict[str, dict[str, Finding]] = {}
    for one in sorted((one for one in findings if _of_segment(one)), key=_how_bad):
        if (one.rule, one.measure) not in everywhere:
            segments.setdefault(one.rule, {}).setdefault(one.subject, one)
    told = [sentence(one) for one in findings if not _of_segment(one)]
    for rule in sorted(segments):
        worst = list(segments[rule].values())
        told += [sentence(one) for one in worst[:MOST_SEGMENTS]]
        if more := len(worst[MOST_SEGMENTS:]):
            told.append(f"By the same rule {more} more {'segment is' if more == 1 else 'segments are'} bad.")
    return told


def _of_segment(finding: Finding) -> bool:
    return finding.subject != ALL and finding.role in {"performance", "concept"}


def _how_bad(finding: Finding) -> float:
    """The less, the worse."""
    return finding.value / finding.expected if finding.expected else -abs(finding.value)


def sentence(finding: Finding) -> str:
    """What is wrong, with figures, and on how many days."""
    expected, form = finding.expected or 0.0, _form(finding)
    figures = finding.model_dump() | {
        "measure": metric(finding.measure),
        "lists": _lists(finding),
        "against": AGAINST.get(finding.measure),
        "shown": " ".join([format(finding.value, form), *_interval(finding, form)]),
        "promised": format(expected, form),
        "amount": amount(finding.value),
        "usual": amount(expected),
        "factor": factor(finding.value, expected),
        "expected": expected,
    }
    return f"{NAMES[finding.rule].format(**figures)}{_days(finding)}."


def metric(name: str) -> str:
    """A measure as people write it, `CTR@10`."""
    kind, at, k = name.partition("@")
    words = [word.upper() if word in SHORT else SPELLED.get(word, word) for word in kind.split("_")]
    return f"{' '.join(words)}{at}{k}"


def amount(value: float) -> str:
    """A figure of whatever size."""
    return f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.4g}"


def factor(value: float, expected: float) -> str:
    """By what a figure has changed, in words."""
    if value <= 0 or expected <= 0:
        return "another sign"
    return f"{value / expected:,.0f} times as much" if value > expected else f"{expected / value:,.0f} times less"


def places(*values: float) -> int:
    """Places behind the point with which the largest of these has three figures."""
    largest = max((abs(value) for value in values), default=0.0)
    if not largest:
        return FIGURES
    return min(max(FIGURES - 1 - math.floor(math.log10(largest)), 0), MOST_PLACES)


def _form(finding: Finding) -> str:
    """How the value, its bounds and what is expected are written: alike."""
    sign = "+" if finding.rule in CHANGES else ""
    return f"{sign}.0%" if finding.rule == "residual" else f"{sign},.{places(finding.value, *_bounds(finding))}f"


def _interval(finding: Finding, form: str) -> list[str]:
    bounds = [format(bound, form) for bound in _bounds(finding)]
    return [f"[{', '.join(bounds)}]"] if bounds else []


def _bounds(finding: Finding) -> list[float]:
    """Both, or none where one of them is not known."""
    known = [bound for bound in (finding.low, finding.high) if bound is not None and math.isfinite(bound)]
    return known if len(known) == len(("low", "high")) else []


def _lists(finding: Finding) -> str:
    """Which lists are meant."""
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
