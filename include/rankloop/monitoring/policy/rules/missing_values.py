"""`missing`: a feature is empty more often."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.comparisons import Interval, increased
from rankloop.monitoring.policy.declaration import DATA_BUG, DAYS, OF, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class MissingValuesRule(DriftRule):
    """A feature is empty more often: something stopped sending what it is made from."""

    name: ClassVar[str] = "missing"
    role: ClassVar[Role] = "data"
    cause: ClassVar[RootCauseKind] = DATA_BUG
    reads: ClassVar[tuple[Measures, ...]] = (Measures(DRIFT, "feature", ("missing",)),)
    sentence: ClassVar[str] = (
        "The feature {subject} is empty in {value:.0%} of the rows, where {expected:.0%} are usual"
    )

    threshold: float = Field(0.2, ge=0, le=1, description="rise of the share of empty values")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether the share of missing values has risen."""
        return increased(row, interval, self.threshold)
