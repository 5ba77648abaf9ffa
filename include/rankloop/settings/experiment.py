"""The comparison of our rankings with the shop's own."""

from pydantic import BaseModel, ConfigDict, Field


class ExperimentSettings(BaseModel):
    """The comparison of our rankings with the shop's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control_share: float = Field(0.5, ge=0, le=1, description="share of buyers who stay on the shop's own ranking")
