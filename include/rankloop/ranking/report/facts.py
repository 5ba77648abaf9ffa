"""Everything that a report or a model card tells, gathered before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rankloop.ranking.calibration import Reliability
from rankloop.ranking.comparison import Comparison
from rankloop.ranking.evaluation import Evaluation
from rankloop.ranking.gate import GateResult
from rankloop.ranking.report.examples import Example
from rankloop.ranking.scored import BASE


@dataclass(frozen=True)
class SetDays:
    """The days of one set, and how much they held; `lists` and `shown` are of all lists, the unsampled ones."""

    name: str
    first: date
    last: date
    lists: int
    reacted: int
    shown: int


@dataclass(frozen=True)
class ReportData:
    """One training and what was found about its model. Names of versions are what the registry calls them."""

    challenger: str
    champion: str
    as_of: date
    why: str
    ranker: str
    days: Sequence[SetDays]
    evaluation: Evaluation
    comparison: Comparison
    gate: GateResult
    features: Sequence[str] = ()
    importance: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    table_versions: Mapping[str, str | int] = field(default_factory=dict)
    code: str = ""
    run: str = ""
    examples: Sequence[Example] = ()
    reliability: Reliability | None = None
    learning_curve: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def against(self) -> str:
        """What the challenger was compared with, in words."""
        return "the shop's own ranking" if self.comparison.champion == BASE else f"champion {self.champion}"

    def shares(self, most: int) -> list[tuple[str, float]]:
        """Return the `most` most important features, each with its share of all importance."""
        total = sum(self.importance.values()) or 1.0
        ranked = sorted(self.importance.items(), key=lambda item: (-item[1], item[0]))
        return [(name, value / total) for name, value in ranked[:most]]
