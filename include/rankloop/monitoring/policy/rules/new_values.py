"""`new_values`: codes that the champion never saw."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.comparisons import Interval, exceeds
from rankloop.monitoring.policy.declaration import COVARIATE_SHIFT, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.feature_facts import is_code
from rankloop.monitoring.policy.finding import Role, Row


class NewValuesRule(DriftRule):
    """Codes that the champion was never trained on."""

    name: ClassVar[str] = "new_values"
    role: ClassVar[Role] = "inputs"
    cause: ClassVar[RootCauseKind] = COVARIATE_SHIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(DRIFT, "feature", ("new_values",)),)
    sentence: ClassVar[str] = (
        "The feature {subject} has values never seen before in {value:.0%} of the rows (limit {threshold:.0%})"
    )

    threshold: float = Field(0.3, ge=0, le=1, description="share of rows with a new code")

    def prepare(self, rows: Sequence[Row], importance: Mapping[str, float]) -> Sequence[Row]:  # noqa: ARG002  (of none)
        """Return the features that are codes: a count that was never so high is nothing new."""
        return [row for row in rows if is_code(row["subject"])]

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether the share of new codes exceeds the threshold, and what a day of the reference has."""
        return exceeds(row, interval, self.threshold)
