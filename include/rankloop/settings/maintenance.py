"""How long the lake keeps what is no longer the newest."""

from pydantic import BaseModel, ConfigDict, Field


class MaintenanceSettings(BaseModel):
    """What `lake_maintenance` may remove."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # What a task is writing right now is in no version yet: it is safe by being younger than this.
    keep_days: int = Field(
        30, ge=2, le=3650, description="days for which all versions of the lake stay readable; those of models stay on"
    )
    report_days: int = Field(180, ge=1, le=3650, description="days of drift reports that are kept")
