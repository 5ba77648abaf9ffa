"""`jump`: an amount changed by a large factor."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import AMOUNT_COLUMNS, DRIFT, QUALITY
from rankloop.monitoring.policy.comparisons import Interval, changed_by_factor
from rankloop.monitoring.policy.declaration import DATA_BUG, DAYS, OF, ROWS, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.feature_facts import is_amount
from rankloop.monitoring.policy.finding import Role, Row


class UnitChangeRule(DriftRule):
    """An amount changed by a large factor, as when somebody sends another unit."""

    name: ClassVar[str] = "jump"
    role: ClassVar[Role] = "data"
    cause: ClassVar[RootCauseKind] = DATA_BUG
    reads: ClassVar[tuple[Measures, ...]] = (
        Measures(DRIFT, "feature", ("mean", "median")),
        Measures(QUALITY, "column", ("mean", "median", "p05", "p95"), AMOUNT_COLUMNS),
    )
    sentence: ClassVar[str] = "The {measure} of {subject} is {amount}, where {expected_amount} is usual: {factor}"

    threshold: float = Field(10.0, gt=1, description="factor, up or down")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)

    def prepare(self, rows: Sequence[Row], importance: Mapping[str, float]) -> Sequence[Row]:  # noqa: ARG002  (of none)
        """Return the features that are amounts: a mean near zero changes by any factor every day."""
        return [row for row in rows if row["signal"] != "feature" or is_amount(row["subject"])]

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (it has none)
        """Return whether the amount changed by the factor."""
        return changed_by_factor(row, self.threshold)
