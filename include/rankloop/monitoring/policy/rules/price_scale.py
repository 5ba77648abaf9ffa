"""`off_scale`: prices are off by a large factor."""

from typing import Any, ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.comparisons import Interval, increased_beyond_baseline
from rankloop.monitoring.policy.declaration import DATA_BUG, DAYS, OF, ROWS, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Finding, Role, Row

COMPARED_WITH = {"jumped": "the snapshot before", "off_scale": "the median of its category"}
"""By measure."""


class PriceScaleRule(DriftRule):
    """Prices are off by a large factor, as when one shop sends another unit and the rest of the column hides it."""

    name: ClassVar[str] = "off_scale"
    role: ClassVar[Role] = "data"
    cause: ClassVar[RootCauseKind] = DATA_BUG
    reads: ClassVar[tuple[Measures, ...]] = (Measures(QUALITY, "column", ("off_scale", "jumped")),)
    sentence: ClassVar[str] = (
        "Against {against}, {subject} is off by a large factor in {value:.1%} of the rows, where {expected:.1%} are "
        "usual"
    )

    threshold: float = Field(0.005, ge=0, le=1, description="rise of the share of such prices")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has none)
        """Return whether there are more such prices than on normal days."""
        return increased_beyond_baseline(row, self.threshold)

    def values(self, finding: Finding) -> dict[str, Any]:
        """Return what the prices were compared with."""
        return {"against": COMPARED_WITH.get(finding.measure)}
