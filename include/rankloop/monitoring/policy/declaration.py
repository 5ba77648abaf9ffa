"""What a drift rule declares: one class holds its settings, what it reads, when a day is bad, and all of its words.

To add a rule, write a subclass of `DriftRule`: in a module of `rankloop.monitoring.policy.rules` with its line in
`RULES`, or in a package of your own that the setting `monitoring.rules` names as `package.module.ClassName`.

- Its fields are its settings, with their defaults, bounds and descriptions: the one place where its threshold is.
  `RANKLOOP_MONITORING__<NAME>__<FIELD>` sets one.
- Its docstring is its line in docs/monitoring.md; `rankloop monitoring rules --write` writes that page's table.
- `is_bad` judges one row of one day. For how many days, of which subject and with which confidence, the policy decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rankloop.monitoring.measure.tables import DAYS_LATER
from rankloop.monitoring.policy.comparisons import Interval
from rankloop.monitoring.policy.finding import Finding, Role, Row, Severity, has_value

RootCauseKind = Literal["data bug", "covariate shift", "concept drift", "unclear"]
DATA_BUG: RootCauseKind = "data bug"
COVARIATE_SHIFT: RootCauseKind = "covariate shift"
CONCEPT_DRIFT: RootCauseKind = "concept drift"
UNCLEAR: RootCauseKind = "unclear"
DAYS, OF = "bad days required", "the last days that are looked at, the newest among them"
SEVERITY = "what it leads to: watch, alert, retrain or fall back"
ROWS = "rows below which a measure is ignored"


@dataclass(frozen=True)
class Measures:
    """Rows that a rule reads."""

    table: str
    signal: str
    measures: tuple[str, ...]
    """Patterns."""
    subjects: tuple[str, ...] = ("*",)
    """Patterns."""

    def include(self, row: Row) -> bool:
        """Return whether the row is one of them, and has a value."""
        return (
            row["signal"] == self.signal
            and any(fnmatchcase(row["measure"], pattern) for pattern in self.measures)
            and any(fnmatchcase(row["subject"], pattern) for pattern in self.subjects)
            and has_value(row["value"])
        )

    @property
    def days_later(self) -> int:
        """Return how many days after a day it is measured."""
        return DAYS_LATER.get(self.table, 0)


class DriftRule(BaseModel):
    """A rule of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]
    """Its name in the settings."""
    role: ClassVar[Role]
    """What it watches. With `data`, a finding stays when it is over, and no model is trained meanwhile."""
    cause: ClassVar[RootCauseKind]
    """The root cause that it points to."""
    reads: ClassVar[tuple[Measures, ...]]
    sentence: ClassVar[str]
    """What a finding says, with the names of `rankloop.monitoring.policy.wording.sentence_values` in braces."""
    look_first: ClassVar[str] = ""
    """Where on-call should look first, with the fields of a finding in braces."""
    explains_performance: ClassVar[bool] = False
    """Whether inputs that moved by it may be why performance fell."""
    signed: ClassVar[bool] = False
    """Whether the value is a difference, and so is written with its sign."""
    percent: ClassVar[bool] = False
    """Whether the value and its bounds are written in percent."""

    threshold: float = Field(description="from which on a day is bad")
    severity: Severity = Field("alert", description=SEVERITY)
    days: int = Field(2, ge=1, le=28, description=DAYS)
    of: int = Field(3, ge=1, le=28, description=OF)
    min_rows: int = Field(500, ge=0, description=ROWS)

    @model_validator(mode="after")
    def _possible_within_the_window(self) -> "DriftRule":
        if self.days > self.of:
            raise ValueError(f"{self.days} of the last {self.of} days is impossible: set `days` to {self.of} at most")
        return self

    def is_bad(self, row: Row, interval: Interval) -> bool:
        """Return whether a row is bad, given its confidence interval."""
        raise NotImplementedError

    def prepare(self, rows: Sequence[Row], importance: Mapping[str, float]) -> Sequence[Row]:  # noqa: ARG002  (for some)
        """Return the rows to judge: of those that it reads, some, or others made from them.

        `importance` is that of the champion's features, as its training recorded it.
        """
        return rows

    @property
    def limit(self) -> float:
        """The threshold that a finding names."""
        return self.threshold

    def values(self, finding: Finding) -> dict[str, Any]:  # noqa: ARG002  (for some)
        """Return further values that its sentence takes."""
        return {}
