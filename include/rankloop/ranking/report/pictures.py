"""The pictures of a report, each drawn once for light pages and once for dark ones, as SVG without a date in it."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rankloop.ranking.calibration import Reliability
from rankloop.ranking.comparison import Delta
from rankloop.ranking.evaluation import TITLES, Evaluation
from rankloop.ranking.scored import BASE, CHAMPION, OURS
from rankloop.ranking.segments import segment_of


@dataclass(frozen=True)
class Ink:
    """The colours of a page. Rise and fall differ in lightness too, for those who do not tell red from green."""

    text: str
    faint: str
    grid: str
    ours: str
    other: str
    rise: str
    fall: str


LIGHT = Ink("#1f2430", "#6b7280", "#e3e5ea", "#2457c5", "#8a90a0", "#1a7f4b", "#c2410c")
DARK = Ink("#e6e8ee", "#9aa1b1", "#333947", "#7aa7ff", "#7d8496", "#4cc38a", "#ff9466")
WIDTH = 8.2
Draw = Callable[[Axes, Ink], None]


@dataclass(frozen=True)
class Picture:
    """One picture for either page, and what it shows for those who cannot see it."""

    light: str
    dark: str
    alt: str


def segments_picture(deltas: Sequence[Delta], floor: float) -> Picture:
    """NDCG@10 by segment: the difference and its interval."""
    rows = [delta for delta in deltas if delta.lists]

    def draw(axes: Axes, ink: Ink) -> None:
        _intervals(axes, ink, rows, [f"{segment_of(row.segment).title}  ({row.lists:,} lists)" for row in rows])
        axes.axvline(-floor, color=ink.fall, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlabel("change of NDCG@10, with its interval; dashed: the usual floor", color=ink.faint)

    return _picture(draw, 0.9 + 0.27 * len(rows), "Change of NDCG@10 in each segment with its interval")


def metrics_picture(deltas: Sequence[Delta]) -> Picture:
    """Every metric over all lists: the difference and its interval."""

    def draw(axes: Axes, ink: Ink) -> None:
        _intervals(axes, ink, deltas, [_title(delta.metric) for delta in deltas])
        axes.set_xlabel("change over all test lists, with its interval", color=ink.faint)

    return _picture(draw, 0.9 + 0.23 * len(deltas), "Change of every metric over all lists with its interval")


def sets_picture(evaluation: Evaluation, metric: str = "ndcg@10") -> Picture:
    """One metric on each set, ranking by ranking: whether the model holds up as days go by."""
    names = list(dict.fromkeys(row.set for row in evaluation.rows))

    def draw(axes: Axes, ink: Ink) -> None:
        for ranking in dict.fromkeys(row.ranking for row in evaluation.rows):
            values = [evaluation.of(name, ranking)[metric] for name in names]
            colour, style = {OURS: (ink.ours, "-"), CHAMPION: (ink.text, "--"), BASE: (ink.other, "-")}[ranking]
            axes.plot(names, values, marker="o", color=colour, linestyle=style, linewidth=2, markersize=5)
            axes.annotate(
                ranking, (len(names) - 1, values[-1]), (8, 0), textcoords="offset points", va="center", color=colour
            )
        axes.set_ylim(bottom=0)
        axes.margins(x=0.06)
        axes.grid(axis="y", color=ink.grid)
        axes.set_ylabel(_title(metric), color=ink.faint)

    return _picture(draw, 2.9, f"{_title(metric)} of each ranking on each set")


def importance_picture(shares: Sequence[tuple[str, float]]) -> Picture:
    """Draw the most important features as bars, by their share of all importance."""

    def draw(axes: Axes, ink: Ink) -> None:
        names, values = [name for name, _ in shares], [share for _, share in shares]
        bars = axes.barh(names, values, color=ink.ours, height=0.62)
        axes.bar_label(bars, [f"{value:.1%}" for value in values], padding=4, color=ink.faint)
        axes.invert_yaxis()
        axes.set_xticks([])

    return _picture(draw, 0.4 + 0.27 * len(shares), "Share of importance of the most important features")


def reliability_picture(table: Reliability) -> Picture:
    """Predicted probability beside what happened."""

    def draw(axes: Axes, ink: Ink) -> None:
        predicted, observed = [point.predicted for point in table.bins], [point.observed for point in table.bins]
        top = 1.05 * max([*predicted, *observed, 0.01])
        axes.plot([0, top], [0, top], color=ink.other, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(predicted, observed, marker="o", color=ink.ours, linewidth=2)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_xlabel("predicted probability of a reaction", color=ink.faint)
        axes.set_ylabel("what happened", color=ink.faint)
        axes.grid(color=ink.grid)

    return _picture(draw, 3.6, "Predicted probabilities beside what happened", width=4.6)


def learning_picture(curves: Mapping[str, Sequence[float]]) -> Picture:
    """Draw the metric of training, round by round."""

    def draw(axes: Axes, ink: Ink) -> None:
        for number, (name, values) in enumerate(curves.items()):
            colour = (ink.ours, ink.other, ink.rise, ink.fall)[number % 4]
            axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=2)
            axes.annotate(
                name, (len(values), values[-1]), (8, 0), textcoords="offset points", va="center", color=colour
            )
        axes.set_xlabel("round", color=ink.faint)
        axes.grid(axis="y", color=ink.grid)

    return _picture(draw, 2.9, "The metric of training, round by round")


def _intervals(axes: Axes, ink: Ink, rows: Sequence[Delta], names: Sequence[str]) -> None:
    """Draw a point and its interval for each row; hollow where the interval includes no change."""
    for place, row in enumerate(rows):
        sure = row.lower > 0 or row.upper < 0
        colour = ink.faint if not sure else ink.rise if row.difference > 0 else ink.fall
        axes.plot([row.lower, row.upper], [place, place], color=colour, linewidth=2, solid_capstyle="round")
        face = colour if sure else "none"
        axes.plot([row.difference], [place], marker="o", markersize=6, color=colour, markerfacecolor=face)
    axes.axvline(0, color=ink.faint, linewidth=1)
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=ink.grid)


def _picture(draw: Draw, height: float, alt: str, width: float = WIDTH) -> Picture:
    return Picture(_svg(draw, LIGHT, (width, height)), _svg(draw, DARK, (width, height)), alt)


def _svg(draw: Draw, ink: Ink, size: tuple[float, float]) -> str:
    # Text stays text, in the reader's own font; ids depend on the drawing alone, so the same facts give the same bytes.
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "rankloop", "font.family": "sans-serif", "font.size": 10}
    ):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        draw(axes, ink)
        axes.set_axisbelow(True)
        axes.set_facecolor("none")
        axes.tick_params(colors=ink.text, length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _title(metric: str) -> str:
    name, k = metric.split("@")
    return f"{TITLES[name]}@{k}"
