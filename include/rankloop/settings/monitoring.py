"""The policy of monitoring: what counts as drift, for how long, and what may then be done about it.

A rule is one line of the policy: a day is bad from `threshold` on, and something is wrong once `days` of the last `of`
days were bad, the newest among them. Where a measure has an interval, the whole of it has to be beyond the threshold;
where a rule looks at several subjects at once, the intervals are widened so that many looks are no more than one. Data
is held against usual days: what any of those was is never bad.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Severity = Literal["watch", "alert", "retrain", "fall back"]
Mode = Literal["off", "dry_run", "on"]
DAYS, OF = "bad days that it takes", "of so many of the last days, the newest among them"
SEVERITY = "what it leads to: watch, alert, retrain or fall back"
ROWS = "rows below which a measure says nothing"


class Rule(BaseModel):
    """One line of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(description="from where on a day is bad")
    severity: Severity = Field("alert", description=SEVERITY)
    days: int = Field(2, ge=1, le=28, description=DAYS)
    of: int = Field(3, ge=1, le=28, description=OF)
    min_rows: int = Field(500, ge=0, description=ROWS)

    @model_validator(mode="after")
    def _within_the_window(self) -> "Rule":
        if self.days > self.of:
            raise ValueError(f"{self.days} of the last {self.of} days can never be: let `days` be {self.of} at most")
        return self


class Inputs(Rule):
    """Features that moved away from those that the champion was judged on."""

    threshold: float = Field(0.2, ge=0, description="PSI from which a feature may have drifted")
    times_usual: float = Field(
        2.0, ge=1, description="by so much it must also exceed what a day of the reference differs from the others"
    )
    share: float = Field(0.3, gt=0, le=1, description="share of all importance that the drifted features must have")
    severity: Severity = Field("retrain", description=SEVERITY)


class Feature(Rule):
    """One feature that moved far beyond what it does from day to day, however little the champion goes by it."""

    threshold: float = Field(
        10.0, gt=1, description="PSI, in times what a day of the reference differs from the others, 0.025 at least"
    )
    times_usual: float = Field(
        3.0, ge=0, description="by so much KS must exceed what a day of the reference differs from the others too"
    )
    demand: tuple[str, ...] = Field(
        ("*_1d", "*_7d", "*_28d", "*_trend_*"),
        description="features that rise and fall with the whole shop, as before a feast, and are left out, as patterns",
    )
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)


class Prediction(Rule):
    """Scores that are spread otherwise than when the champion was judged."""

    threshold: float = Field(0.25, ge=0, description="PSI of the scores")


class Population(Rule):
    """Today's rows told from the reference by a small classifier."""

    threshold: float = Field(0.8, ge=0.5, le=1, description="AUC")
    severity: Severity = Field("watch", description=SEVERITY)


class Missing(Rule):
    """A feature that is empty more often: somebody stopped sending what it is made from."""

    threshold: float = Field(0.2, ge=0, le=1, description="by how much the share of empty values has risen")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)


class NewValues(Rule):
    """Codes that the champion never saw."""

    threshold: float = Field(0.3, ge=0, le=1, description="share of rows with such a code")
    codes: tuple[str, ...] = Field(
        ("*_id", "*_gender", "*_tier"), description="features that are codes and not counts, as patterns"
    )


class Jump(Rule):
    """An amount that is another by a large factor, as when somebody sends another unit."""

    threshold: float = Field(10.0, gt=1, description="factor, up or down")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)
    amounts: tuple[str, ...] = Field(
        ("*price", "*price_to_median", "*quantity"), description="features and columns that are amounts, as patterns"
    )


class Performance(Rule):
    """Rankings that buyers take worse than the champion's evaluation promised."""

    threshold: float = Field(0.05, ge=0, le=1, description="fall, as a share of what was promised")
    severity: Severity = Field("retrain", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)


class AgainstControl(Rule):
    """Buyers who are shown our rankings do worse than those who are shown the shop's own."""

    threshold: float = Field(0.0, ge=0, description="how far below control its whole interval lies")
    severity: Severity = Field("fall back", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)


class Estimated(Rule):
    """What is estimated before anybody's reaction is known has fallen."""

    threshold: float = Field(0.05, ge=0, le=1, description="fall, as a share of what is expected")
    severity: Severity = Field("watch", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)


class Fresh(Rule):
    """A small model of the last days ranks the day's lists better than the champion."""

    threshold: float = Field(0.01, ge=0, le=1, description="gain of NDCG@10 that its whole interval lies above")
    severity: Severity = Field("retrain", description=SEVERITY)
    min_rows: int = Field(300, ge=0, description=ROWS)


class Catalogue(Rule):
    """Products that came overnight, more than a catalogue grows by: a shop, or many, have put up theirs."""

    threshold: float = Field(0.1, gt=0, description="share by which there are more than usual")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)
    sources: tuple[str, ...] = Field(("products",), description="sources that are snapshots, as patterns")


class Residual(Rule):
    """Buyers of a segment click more or less than the champion's calibrated scores say."""

    threshold: float = Field(0.2, ge=0, description="how far clicks are from those expected, as a share of them")


class SourceRows(Rule):
    """A source that sends less than usual."""

    threshold: float = Field(0.5, ge=0, le=1, description="share by which it sends less")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(0, ge=0, description=ROWS)


class Quarantined(Rule):
    """A source of which more rows are set aside than usual."""

    threshold: float = Field(0.02, ge=0, le=1, description="by how much the share of rows set aside has risen")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)


class Columns(Rule):
    """A column of a source in which more is empty than usual."""

    threshold: float = Field(0.1, ge=0, le=1, description="by how much the share of empty values has risen")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)


class OffScale(Rule):
    """Prices that are off by a large factor, as when one shop sends another unit: the rest of the column hides them."""

    threshold: float = Field(0.005, ge=0, le=1, description="by how much the share of such prices has risen")
    days: int = Field(1, ge=1, le=28, description=DAYS)
    of: int = Field(1, ge=1, le=28, description=OF)
    min_rows: int = Field(100, ge=0, description=ROWS)


class MonitoringSettings(BaseModel):
    """When the world has drifted, and what may be done about it without asking."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode | None = Field(
        None,
        description="off: only alerts; dry_run: says what would be done; on: retrains and falls back. By default on "
        "where the marketplace is simulated, else dry_run",
    )
    learn_days: int = Field(
        3, ge=0, le=28, description="days of lists since tastes moved that a training has to have to learn from"
    )
    cool_down_days: int = Field(5, ge=0, le=90, description="days after a retraining on which no other is begun")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of the intervals, before they are widened")
    apprise: str = Field("", description="an Airflow connection of type apprise, by which on-call is told as well")
    inputs: Inputs = Inputs()
    feature: Feature = Feature()
    prediction: Prediction = Prediction()
    population: Population = Population()
    missing: Missing = Missing()
    new_values: NewValues = NewValues()
    catalogue: Catalogue = Catalogue()
    jump: Jump = Jump()
    performance: Performance = Performance()
    against_control: AgainstControl = AgainstControl()
    estimated: Estimated = Estimated()
    fresh: Fresh = Fresh()
    residual: Residual = Residual()
    source_rows: SourceRows = SourceRows()
    quarantined: Quarantined = Quarantined()
    columns: Columns = Columns()
    off_scale: OffScale = OffScale()

    @model_validator(mode="after")
    def _learn_days_are_seen(self) -> "MonitoringSettings":
        if self.learn_days > (seen := min(self.performance.of, self.fresh.of)):
            raise ValueError(
                f"learn_days is {self.learn_days}, but performance and fresh look back on {seen} days, so a change "
                "is never known to be older; raise their `of`, or lower learn_days"
            )
        return self

    def rule(self, name: str) -> Rule:
        """A rule by its name."""
        found = getattr(self, name)
        assert isinstance(found, Rule)  # noqa: S101  (every caller names one of the fields above)
        return found

    @property
    def looks_back(self) -> int:
        """Days that any rule looks at, and one more for those that are known a day later."""
        return 1 + max(found.of for name in type(self).model_fields if isinstance(found := getattr(self, name), Rule))
