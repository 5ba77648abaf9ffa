"""`columns`: a column of a source is empty more often."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.comparisons import Interval, increased_beyond_baseline
from rankloop.monitoring.policy.declaration import DATA_BUG, DAYS, OF, ROWS, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class EmptyColumnRule(DriftRule):
    """A column of a source is empty more often than on normal days."""

    name: ClassVar[str] = "columns"
    role: ClassVar[Role] = "data"
    cause: ClassVar[RootCauseKind] = DATA_BUG
    reads: ClassVar[tuple[Measures, ...]] = (Measures(QUALITY, "column", ("nulls",)),)
    sentence: ClassVar[str] = "The column {subject} is empty in {value:.1%} of the rows, where {expected:.1%} are usual"

    threshold: float = Field(0.1, ge=0, le=1, description="rise of the share of empty values")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has none)
        """Return whether more is empty than on normal days."""
        return increased_beyond_baseline(row, self.threshold)
