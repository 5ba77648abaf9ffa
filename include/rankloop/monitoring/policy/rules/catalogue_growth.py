"""`catalogue`: many new products overnight."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.comparisons import Interval, grown_beyond_baseline
from rankloop.monitoring.policy.declaration import COVARIATE_SHIFT, DAYS, OF, ROWS, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row


class CatalogueGrowthRule(DriftRule):
    """Many new products overnight: a shop, or many, joined."""

    name: ClassVar[str] = "catalogue"
    role: ClassVar[Role] = "inputs"
    cause: ClassVar[RootCauseKind] = COVARIATE_SHIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(QUALITY, "source", ("rows",), ("products",)),)
    sentence: ClassVar[str] = "There are {value:,.0f} {subject}, where {expected:,.0f} are usual"
    look_first: ClassVar[str] = "the {subject} that are new"

    threshold: float = Field(0.1, gt=0, description="growth over normal days, as a share")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has none)
        """Return whether there are more products than on normal days."""
        return grown_beyond_baseline(row, self.threshold)
