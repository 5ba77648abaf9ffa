"""`against_control`: personalised buyers do worse than the control group."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import PERFORMANCE
from rankloop.monitoring.policy.comparisons import Interval
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, ROWS, SEVERITY, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row, Severity


class WorseThanControlRule(DriftRule):
    """Buyers who see our rankings do worse than the control group."""

    name: ClassVar[str] = "against_control"
    role: ClassVar[Role] = "performance"
    cause: ClassVar[RootCauseKind] = CONCEPT_DRIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(PERFORMANCE, "against_control", ("*",)),)
    sentence: ClassVar[str] = (
        "Buyers who are shown our rankings differ from control by {value_with_interval} in {measure}"
    )
    signed: ClassVar[bool] = True

    threshold: float = Field(0.0, ge=0, description="how far below zero all of the interval lies")
    severity: Severity = Field("fall back", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has an interval)
        """Return whether all of the interval lies below zero."""
        return interval[1] < -self.threshold
