"""Who decides about a challenger."""

from pydantic import BaseModel, ConfigDict, Field


class PromotionSettings(BaseModel):
    """Who decides about a challenger, and how they learn that they are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approvers: tuple[str, ...] = Field(
        ("ml-lead",), min_length=1, description="Airflow's ids of those who may answer; user names in the embedded one"
    )
    answer_within_days: float = Field(5.0, gt=0, description="days after which no answer counts as Reject")
    apprise: str = Field("", description="an Airflow connection of type apprise, by which they are told as well")
