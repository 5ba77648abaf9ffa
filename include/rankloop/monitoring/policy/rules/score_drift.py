"""`prediction`: the champion's scores are distributed differently."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.comparisons import Interval, exceeds
from rankloop.monitoring.policy.declaration import UNCLEAR, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class ScoreDriftRule(DriftRule):
    """The champion's scores are distributed differently from when it was evaluated."""

    name: ClassVar[str] = "prediction"
    role: ClassVar[Role] = "outputs"
    cause: ClassVar[RootCauseKind] = UNCLEAR
    reads: ClassVar[tuple[Measures, ...]] = (Measures(DRIFT, "prediction", ("psi",)),)
    sentence: ClassVar[str] = "The scores are distributed differently: {measure} {value:.2f} (limit {threshold:g})"

    threshold: float = Field(0.25, ge=0, description="PSI of the scores")

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether the PSI of the scores exceeds the threshold, and what a day of the reference differs."""
        return exceeds(row, interval, self.threshold)
