"""`performance`: rankings do worse than the champion's evaluation promised."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import PERFORMANCE
from rankloop.monitoring.policy.comparisons import Interval, decreased
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, ROWS, SEVERITY, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row, Severity


class PerformanceFallRule(DriftRule):
    """Rankings do worse than the champion's evaluation promised."""

    name: ClassVar[str] = "performance"
    role: ClassVar[Role] = "performance"
    cause: ClassVar[RootCauseKind] = CONCEPT_DRIFT
    reads: ClassVar[tuple[Measures, ...]] = (
        Measures(PERFORMANCE, "reranked", ("ndcg@10", "ctr@10", "map@10", "recall@30")),
    )
    sentence: ClassVar[str] = "The {measure} over {lists} is {value_with_interval}, where {expected_alike} was promised"

    threshold: float = Field(0.05, ge=0, le=1, description="fall, as a share of what was promised")
    severity: Severity = Field("retrain", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether all of the interval lies below what the evaluation promised."""
        return decreased(row, interval, self.threshold)
