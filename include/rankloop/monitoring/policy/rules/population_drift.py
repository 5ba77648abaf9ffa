"""`population`: a domain classifier tells the day from the reference."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.comparisons import Interval, exceeds
from rankloop.monitoring.policy.declaration import SEVERITY, UNCLEAR, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row, Severity


class PopulationDriftRule(DriftRule):
    """A small classifier tells the day's rows from the reference."""

    name: ClassVar[str] = "population"
    role: ClassVar[Role] = "inputs"
    cause: ClassVar[RootCauseKind] = UNCLEAR
    reads: ClassVar[tuple[Measures, ...]] = (Measures(DRIFT, "population", ("auc",)),)
    sentence: ClassVar[str] = (
        "A small classifier tells today's rows from the reference: AUC {value:.2f} (limit {threshold:g})"
    )

    threshold: float = Field(0.8, ge=0.5, le=1, description="AUC of the classifier")
    severity: Severity = Field("watch", description=SEVERITY)

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether all of the interval lies above the threshold, and above what the reference's days give."""
        return exceeds(row, interval, self.threshold)
