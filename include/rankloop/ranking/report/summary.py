"""The short Markdown that the approval request shows: what the ML lead has to know to answer."""

import math
from collections.abc import Iterable

from rankloop.ranking.comparison import Delta
from rankloop.ranking.evaluation import TITLES
from rankloop.ranking.gate import METRIC, GateResult
from rankloop.ranking.report.examples import Example
from rankloop.ranking.report.facts import ReportData
from rankloop.ranking.segments import segment_of

KEY_METRICS = ("ndcg@10", "map@10", "recall@30", "precision@5", "ctr@5")
WORST, IMPORTANT, PLACES = 5, 8, 5


def summary(facts: ReportData, report: str = "") -> str:
    """Render the Markdown of an approval request. `report` is a link to the page, if there is one."""
    parts = [
        f"**{facts.gate.verdict}**",
        _what(facts),
        _table(facts),
        _gate(facts.gate),
        _worse(facts),
        _model(facts),
        *(_example(example) for example in facts.examples),
        _data(facts),
    ]
    if report:
        parts.append(f"[The whole comparison]({report})")
    return "\n\n".join(part for part in parts if part) + "\n"


def title_of(metric: str) -> str:
    """Return the title of a metric on a page, `NDCG@10`."""
    name, k = metric.split("@")
    return f"{TITLES[name]}@{k}"


def percent(delta: Delta) -> str:
    """Format the change as a share of the champion's figure, `+12.3 %`."""
    if not delta.champion or math.isnan(delta.difference):
        return "-"
    return f"{100 * delta.difference / delta.champion:+.1f} %"


def _what(facts: ReportData) -> str:
    compared = facts.comparison
    return (
        f"Challenger {facts.challenger} ({facts.ranker}) against {facts.against}, on the same {compared.lists:,} lists "
        f"of the newest test days. Trained as of {facts.as_of} because {facts.why}. "
        f"The gate asked for {'an improvement' if facts.gate.mode == 'improvement' else 'no loss'}: "
        f"{facts.gate.because}."
    )


def _table(facts: ReportData) -> str:
    sure = f"{facts.comparison.bootstrap.confidence:.0%}"
    head = [f"| metric | {facts.comparison.champion} | pscore | change | {sure} interval | relative |"]
    head.append("| --- | ---: | ---: | ---: | :---: | ---: |")
    deltas = {delta.metric: delta for delta in facts.comparison.overall()}
    rows = [
        f"| {title_of(name)} | {d.champion:.4f} | {d.challenger:.4f} | {d.difference:+.4f} "
        f"| {d.lower:+.4f} to {d.upper:+.4f} | {percent(d)} |"
        for name in KEY_METRICS
        if (d := deltas.get(name))
    ]
    return "\n".join(head + rows)


def _gate(gate: GateResult) -> str:
    decided = [rule for rule in gate.rules if rule.decides]
    passed = sum(rule.outcome == "pass" for rule in decided)
    lines = [
        f"**Gate: {'passed' if gate.passed else 'not passed'}** ({passed} of {len(decided)} deciding rules pass)",
        "",
    ]
    return "\n".join(lines + [f"- {rule.sentence}" for rule in gate.telling])


def _worse(facts: ReportData) -> str:
    down = sorted((d for d in facts.comparison.by_segment(METRIC) if d.difference < 0), key=lambda d: d.difference)
    if not down:
        return "**Where it is worse:** in no segment."
    lines = ["**Where it is worse** (NDCG@10)", ""]
    lines += [
        f"- {segment_of(d.segment).title}: {d.difference:+.4f} ({d.lower:+.4f} to {d.upper:+.4f}, {d.lists:,} lists)"
        for d in down[:WORST]
    ]
    return "\n".join(lines)


def _model(facts: ReportData) -> str:
    lines = []
    if facts.importance:
        lines.append("**What it looks at:** " + _listed(f"`{n}` {s:.0%}" for n, s in facts.shares(IMPORTANT)) + ".")
    if facts.reliability:
        error = f"{facts.reliability.error:.4f}"
        lines.append(f"**Calibration:** its click probabilities are off by {error} on average over products.")
    return "\n\n".join(lines)


def _example(example: Example) -> str:
    head = (
        f"**{example.title}** (list `{example.request_id}` of {example.day}, {example.products} products): "
        f"NDCG@10 {example.before:.3f} -> {example.after:.3f}"
    )
    rows = [
        f"| {place.after} | {place.before} | {place.product_id} | {place.reaction} |"
        for place in example.places
        if place.after <= PLACES or place.label
    ]
    return "\n".join([head, "", "| now | before | product | reaction |", "| ---: | ---: | ---: | --- |", *rows])


def _data(facts: ReportData) -> str:
    days = _listed(f"{one.name} {one.first} to {one.last} ({one.lists:,} lists)" for one in facts.days)
    versions = _listed(f"{table} v{version}" for table, version in facts.table_versions.items())
    lines = [f"- Days: {days}"] if days else []
    lines += [f"- Table versions: {versions}"] if versions else []
    lines += [f"- Code: `{facts.code}`"] if facts.code else []
    lines += [f"- Run: {facts.run}"] if facts.run else []
    return "\n".join(["**Made from**", "", *lines]) if lines else ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
