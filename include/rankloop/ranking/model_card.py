"""The model card: what a model is for, what it was made from, how good it is, and what it must not be used for."""

from rankloop.ranking.evaluation import figure
from rankloop.ranking.gate import METRIC
from rankloop.ranking.report.facts import ReportData
from rankloop.ranking.report.summary import title_of
from rankloop.ranking.segments import segment_of

INTENDED_USE = """\
Orders the products of a list for one buyer of this marketplace, in the nightly batch and in the serving app. A score
says who comes first in the list; it compares nothing across lists, buyers or versions of the model."""

LIMITS = """\
- Measured on lists that the shop's ranking or an earlier model chose and ordered. Buyers react more to what stands on
  top, so what was live then is flattered; products that were never shown are not judged at all.
- It knows a buyer by what they did up to the end of the day before. A buyer without history is ranked by the products'
  own record.
- Learned from a few weeks. A campaign, a season or a change of the catalogue may make it worse: the drift checks say
  so, this card does not.
- Not for setting prices, for judging buyers or sellers, or for any decision about a person."""


def model_card(facts: ReportData) -> str:
    """Render the model card in Markdown."""
    parts = [
        f"# {facts.challenger}",
        facts.gate.verdict,
        "## Intended use",
        INTENDED_USE,
        "## Made from",
        _origin(facts),
        _days(facts),
        "## Features",
        _features(facts),
        "## How good it is",
        "The conventions are in docs/evaluation.md. Train and valid were learned from; the test sets were not.",
        facts.evaluation.markdown().rstrip(),
        "## Segments",
        _segments(facts),
        "## The gate",
        f"Asked for {'an improvement' if facts.gate.mode == 'improvement' else 'no loss'}: {facts.gate.because}.",
        "\n".join(f"- {rule.sentence}" for rule in facts.gate.rules),
        "## Calibration",
        _calibration(facts),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _origin(facts: ReportData) -> str:
    rows = {
        "as of": str(facts.as_of),
        "trained because": facts.why,
        "ranker": facts.ranker,
        "compared with": facts.against,
        "code": f"`{facts.code}`" if facts.code else "",
        "run": facts.run,
        "table versions": ", ".join(f"`{table}` v{version}" for table, version in facts.table_versions.items()),
        "parameters": ", ".join(f"`{name}={value}`" for name, value in facts.parameters.items()),
    }
    return _table(["fact", ""], [[name, value] for name, value in rows.items() if value])


def _days(facts: ReportData) -> str:
    if not facts.days:
        return "The days of the sets are not recorded."
    rows = [
        [days.name, f"{days.first} to {days.last}", f"{days.lists:,}", f"{days.reacted:,}", f"{days.shown:,}"]
        for days in facts.days
    ]
    return _table(["set", "days", "lists", "with a reaction", "products shown"], rows)


def _features(facts: ReportData) -> str:
    count = f"{len(facts.features)} features, after those too sparse or too weak were dropped."
    kept = ", ".join(f"`{name}`" for name in facts.features)
    rows = [[f"`{name}`", f"{share:.1%}"] for name, share in facts.shares(20)]
    shares = _table(["most important", "share of gain"], rows) if rows else ""
    return "\n\n".join(part for part in (count, kept, shares) if part)


def _segments(facts: ReportData) -> str:
    rows = [
        [
            segment_of(delta.segment).title,
            f"{delta.lists:,}",
            figure(delta.champion),
            figure(delta.challenger),
            f"{delta.difference:+.4f}",
            f"{delta.lower:+.4f} to {delta.upper:+.4f}",
        ]
        for delta in facts.comparison.by_segment(METRIC)
    ]
    head = ["segment", "lists", facts.comparison.champion, "pscore", f"change of {title_of(METRIC)}", "interval"]
    return _table(head, rows) if rows else "The lists tell no segments apart."


def _calibration(facts: ReportData) -> str:
    if not facts.reliability:
        return "Its scores are not calibrated: they order products, and are no probabilities."
    rows = [[f"{one.predicted:.4f}", f"{one.observed:.4f}", f"{one.shown:,.0f}"] for one in facts.reliability.bins]
    table = _table(["predicted probability", "what happened", "products shown"], rows)
    return f"Expected calibration error on the test days: {facts.reliability.error:.4f}.\n\n{table}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
