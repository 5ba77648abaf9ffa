"""`fresh`: a model of the last days ranks better than the champion."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.measure.tables import CONCEPT
from rankloop.monitoring.policy.comparisons import Interval, exceeds
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, ROWS, SEVERITY, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import Role, Row, Severity


class FreshModelRule(DriftRule):
    """A small model trained on the last days ranks the day's lists better than the champion."""

    name: ClassVar[str] = "fresh"
    role: ClassVar[Role] = "concept"
    cause: ClassVar[RootCauseKind] = CONCEPT_DRIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(CONCEPT, "fresh", ("ndcg@10",)),)
    sentence: ClassVar[str] = "A fresh model gains {value_with_interval} of {measure} over the champion"
    signed: ClassVar[bool] = True

    threshold: float = Field(0.01, ge=0, le=1, description="gain of NDCG@10 that all of the interval lies above")
    severity: Severity = Field("retrain", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether all of the gain's interval lies above the threshold."""
        return exceeds(row, interval, self.threshold)
