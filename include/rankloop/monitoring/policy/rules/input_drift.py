"""`inputs`: the drifted features make up enough of what the champion goes by."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import ClassVar

from pydantic import Field

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.comparisons import Interval
from rankloop.monitoring.policy.declaration import COVARIATE_SHIFT, SEVERITY, DriftRule, Measures, RootCauseKind
from rankloop.monitoring.policy.finding import ALL, Role, Row, Severity, has_value, importance_shares


class InputDriftRule(DriftRule):
    """The drifted features have a large share of the model's importance."""

    name: ClassVar[str] = "inputs"
    role: ClassVar[Role] = "inputs"
    cause: ClassVar[RootCauseKind] = COVARIATE_SHIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(DRIFT, "feature", ("psi",)),)
    sentence: ClassVar[str] = "The drifted features have {value:.0%} of all importance (limit {threshold:.0%})"
    explains_performance: ClassVar[bool] = True

    threshold: float = Field(0.2, ge=0, description="PSI from which a feature may have drifted")
    times_usual: float = Field(
        2.0, ge=1, description="times that it must also exceed what a day of the reference differs from the others"
    )
    share: float = Field(0.3, gt=0, le=1, description="share of all importance that the drifted features must have")
    severity: Severity = Field("retrain", description=SEVERITY)

    def prepare(self, rows: Sequence[Row], importance: Mapping[str, float]) -> Sequence[Row]:
        """Return a row for each day: the share of importance of the features that drifted."""
        by_day: dict[date, list[Row]] = defaultdict(list)
        for row in rows:
            if row["rows"] >= self.min_rows:
                by_day[row[DAY]].append(row)
        return [self._share_of_day(day, features, importance) for day, features in by_day.items()]

    def _share_of_day(self, day: date, rows: Sequence[Row], importance: Mapping[str, float]) -> Row:
        fewest = min(row["rows"] for row in rows)
        share = self.drifted_importance(rows, importance)
        empty = {"low": None, "high": None, "expected": None}
        return {DAY: day, "subject": ALL, "measure": "share", "value": share, "rows": fewest, **empty}

    def drifted_importance(self, rows: Iterable[Row], importance: Mapping[str, float]) -> float:
        """Return the share of importance of the features that drifted; of their number, where none is known."""
        drifted = {row["subject"]: row["value"] > self.feature_limit(row["expected"]) for row in rows}
        weights = importance_shares(drifted, importance)
        return sum(weight for name, weight in sorted(weights.items()) if drifted[name])

    def feature_limit(self, usual: float | None) -> float:
        """Return the PSI from which a feature has drifted, given what a day of the reference differs at most."""
        return max(self.threshold, self.times_usual * (usual if usual is not None and has_value(usual) else 0.0))

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (a share has no interval)
        """Return whether the drifted features have this share."""
        return bool(row["value"] >= self.share)

    @property
    def limit(self) -> float:
        """The share that a finding names."""
        return self.share
