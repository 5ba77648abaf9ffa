"""`estimated`: the performance estimated before reactions are known has fallen."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import PERFORMANCE
from rankloop.monitoring.policy.comparisons import Interval, decreased
from rankloop.monitoring.policy.declaration import ROWS, SEVERITY, UNCLEAR, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row, Severity


class EstimateFallRule(DriftRule):
    """The performance estimated before reactions are known has fallen."""

    name: ClassVar[str] = "estimated"
    role: ClassVar[Role] = "outputs"
    cause: ClassVar[RootCauseKind] = UNCLEAR
    reads: ClassVar[tuple[Measures, ...]] = (Measures(PERFORMANCE, "estimated", ("ctr@10", "ndcg@10")),)
    sentence: ClassVar[str] = (
        "The {measure} over {lists} is estimated at {value_with_interval}, where {expected_alike} is expected"
    )

    threshold: float = Field(0.05, ge=0, le=1, description="fall, as a share of what is expected")
    severity: Severity = Field("watch", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether all of the interval lies below what is expected."""
        return decreased(row, interval, self.threshold)
