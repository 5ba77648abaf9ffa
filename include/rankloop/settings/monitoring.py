"""When the market has drifted, and what may be done about it without asking.

The drift rules are declared in `rankloop.monitoring.policy.rules`, each with its threshold. What the settings say about
a rule, as `[monitoring.inputs]` in rankloop.toml or RANKLOOP_MONITORING__INPUTS__THRESHOLD, is kept here as it was
written, and validated by the rule's declaration when the policy is opened.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

Mode = Literal["off", "dry_run", "on"]


class MonitoringSettings(BaseModel):
    """What monitoring may do without asking. The settings of each rule are in docs/monitoring.md."""

    model_config = ConfigDict(extra="allow", frozen=True)

    mode: Mode | None = Field(
        None,
        description="off: only alerts; dry_run: says what would be done; on: retrains and falls back. By default on "
        "where the marketplace is simulated, else dry_run",
    )
    learn_days: int = Field(
        3, ge=0, le=28, description="days of lists since tastes moved that a training has to have to learn from"
    )
    cool_down_days: int = Field(5, ge=0, le=90, description="days after a retraining on which no other is started")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of the intervals, before they are widened")
    apprise: str = Field("", description="an Airflow connection of type apprise, by which on-call is notified as well")
    rules: tuple[str, ...] = Field(
        (), description="drift rules of your own beside the built-in ones, each as package.module.ClassName"
    )

    @model_validator(mode="before")
    @classmethod
    def _only_rules_beside_the_fields(cls, given: Any) -> Any:  # noqa: ANN401  (whatever was written)
        """Refuse a single value under an unknown name: rules have sections, so it is a mistyped setting."""
        if not isinstance(given, Mapping):
            return given
        wrong = [name for name, value in given.items() if name not in cls.model_fields and not _is_section(value)]
        if wrong:
            details = [InitErrorDetails(type="extra_forbidden", loc=(name,), input=given[name]) for name in wrong]
            raise ValidationError.from_exception_data(cls.__name__, details)
        return given

    @property
    def rule_settings(self) -> Mapping[str, Mapping[str, Any]]:
        """What was set about each rule, by its name, as it was written."""
        return self.model_extra or {}


def _is_section(value: object) -> bool:
    return isinstance(value, Mapping)
