"""`feature`: one feature moved much further than it does from day to day."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.policy.comparisons import Interval
from rankloop.monitoring.policy.declaration import (
    COVARIATE_SHIFT,
    DAYS,
    OF,
    DriftRule,
    Measures,
    RootCauseKind,
)
from rankloop.monitoring.policy.feature_facts import counts_traffic
from rankloop.monitoring.policy.finding import Role, Row, has_value

LEAST_USUAL = 0.025
"""A tenth of the PSI from which features are commonly said to have moved: a smaller difference between days is none."""


class FeatureDriftRule(DriftRule):
    """One feature moved much further than it does from day to day, whatever its importance.

    Features that rise and fall with the traffic of the whole shop are left out, as before a holiday.
    """

    name: ClassVar[str] = "feature"
    role: ClassVar[Role] = "inputs"
    cause: ClassVar[RootCauseKind] = COVARIATE_SHIFT
    reads: ClassVar[tuple[Measures, ...]] = (Measures(DRIFT, "feature", ("psi", "ks")),)
    sentence: ClassVar[str] = (
        "The feature {subject} moved by a {measure} of {value:.2f}, where days of the reference differ by "
        "{expected:.3f}"
    )

    threshold: float = Field(
        10.0, gt=1, description="times that its PSI exceeds what a day of the reference differs, 0.025 at least"
    )
    times_usual: float = Field(3.0, ge=0, description="times that its KS must exceed what a day of the reference does")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)

    def prepare(self, rows: Sequence[Row], importance: Mapping[str, float]) -> Sequence[Row]:  # noqa: ARG002  (of none)
        """Return the PSI of features that do not follow the shop's traffic, and that moved by KS too.

        Where few values hold much, as those of sixty shops, one that goes to the next bin is a great PSI and no move.
        """
        own = [row for row in rows if not counts_traffic(row["subject"])]
        by_ks = (row for row in own if row["measure"] == "ks" and has_value(row["expected"]))
        steady = {(row[DAY], row["subject"]) for row in by_ks if row["value"] <= self.times_usual * row["expected"]}
        return [row for row in own if row["measure"] == "psi" and (row[DAY], row["subject"]) not in steady]

    def is_bad(self, row: Row, interval: Interval) -> bool:  # noqa: ARG002  (a PSI has no interval)
        """Return whether the PSI is so many times what is usual."""
        return has_value(row["expected"]) and row["value"] > self.threshold * max(row["expected"], LEAST_USUAL)
