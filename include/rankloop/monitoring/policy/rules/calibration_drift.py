"""`residual`: a segment clicks more or less than the calibrated scores say."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import CONCEPT
from rankloop.monitoring.policy.comparisons import Interval
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class CalibrationDriftRule(DriftRule):
    """A segment clicks more or less than the champion's calibrated scores say."""

    name: ClassVar[str] = "residual"
    role: ClassVar[Role] = "concept"
    cause: ClassVar[RootCauseKind] = CONCEPT_DRIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(CONCEPT, "residual", ("calibration",)),)
    sentence: ClassVar[str] = "Clicks over {lists} differ by {value_with_interval} from what the scores say"
    signed: ClassVar[bool] = True
    percent: ClassVar[bool] = True

    threshold: float = Field(0.2, ge=0, description="distance of clicks from those expected, as a share of them")

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has an interval)
        """Return whether all of the interval lies away from zero, either way."""
        return interval[0] > self.threshold or interval[1] < -self.threshold
