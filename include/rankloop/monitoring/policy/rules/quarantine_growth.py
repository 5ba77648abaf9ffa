"""`quarantined`: more rows of a source are quarantined."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.comparisons import Interval, increased_beyond_baseline
from rankloop.monitoring.policy.declaration import DATA_BUG, DAYS, OF, ROWS, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class QuarantineGrowthRule(DriftRule):
    """More rows of a source are quarantined than on normal days."""

    name: ClassVar[str] = "quarantined"
    role: ClassVar[Role] = "data"
    cause: ClassVar[RootCauseKind] = DATA_BUG
    reads: ClassVar[tuple[Measures, ...]] = (Measures(QUALITY, "source", ("quarantined_share",)),)
    sentence: ClassVar[str] = "Of the rows of {subject} {value:.1%} were quarantined, where {expected:.1%} are usual"

    threshold: float = Field(0.02, ge=0, le=1, description="rise of the share of quarantined rows")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has none)
        """Return whether a larger share is rejected than on normal days."""
        return increased_beyond_baseline(row, self.threshold)
