"""The comparison as one page that needs no network: the pictures lie in it."""

import base64
import math
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rankloop.ranking.evaluation import figure
from rankloop.ranking.gate import METRIC
from rankloop.ranking.report.facts import ReportData
from rankloop.ranking.report.pictures import (
    Picture,
    importance_picture,
    learning_picture,
    metrics_picture,
    reliability_picture,
    segments_picture,
    sets_picture,
)
from rankloop.ranking.report.summary import KEY_METRICS, percent, title_of
from rankloop.ranking.segments import segment_of
from rankloop.settings.gate import GateSettings

MOST_IMPORTANT = 20


def comparison_page(facts: ReportData, settings: GateSettings) -> str:
    """Render `comparison.html`."""
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "figure": figure,
        "signed": signed,
        "percent": percent,
        "title_of": title_of,
        "segment": lambda name: segment_of(name).title,
        "embedded": embedded,
    }
    overall = {delta.metric: delta for delta in facts.comparison.overall()}
    return page.get_template("page.html.j2").render(
        facts=facts,
        gate=facts.gate,
        telling=facts.gate.telling,
        key=[overall[name] for name in KEY_METRICS if name in overall],
        overall=list(overall.values()),
        segments=facts.comparison.by_segment(METRIC),
        pictures=_pictures(facts, settings),
        metrics=facts.evaluation.metrics,
        titles={metric: title_of(f"{metric}@5").removesuffix("@5") for metric in facts.evaluation.metrics},
    )


def signed(value: float) -> str:
    """Format a change with its sign, `+0.0312`, and a real minus sign."""
    return "-" if math.isnan(value) else f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")


def embedded(svg: str) -> str:
    """Return a picture as a data URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _pictures(facts: ReportData, settings: GateSettings) -> dict[str, Picture | None]:
    by_segment = facts.comparison.by_segment(METRIC)
    shares = facts.shares(MOST_IMPORTANT)
    return {
        "segments": segments_picture(by_segment, settings.segment_floor) if by_segment else None,
        "metrics": metrics_picture(facts.comparison.overall()),
        "sets": sets_picture(facts.evaluation),
        "importance": importance_picture(shares) if shares else None,
        "reliability": reliability_picture(facts.reliability) if facts.reliability else None,
        "learning": learning_picture(facts.learning_curve) if facts.learning_curve else None,
    }
