"""`source_rows`: a source sends less than on normal days."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.comparisons import Interval, decreased_beyond_baseline
from rankloop.monitoring.policy.declaration import DATA_BUG, DAYS, OF, ROWS, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class SourceVolumeRule(DriftRule):
    """A source sends less than on normal days."""

    name: ClassVar[str] = "source_rows"
    role: ClassVar[Role] = "data"
    cause: ClassVar[RootCauseKind] = DATA_BUG
    reads: ClassVar[tuple[Measures, ...]] = (Measures(QUALITY, "source", ("rows",)),)
    sentence: ClassVar[str] = "The source {subject} sent {value:,.0f} rows, where {expected:,.0f} are usual"

    threshold: float = Field(0.5, ge=0, le=1, description="fall, as a share of normal days")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(0, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has none)
        """Return whether there are fewer rows than on normal days."""
        return decreased_beyond_baseline(row, self.threshold)
