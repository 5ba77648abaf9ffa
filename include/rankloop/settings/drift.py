"""When the lists of a day are called another population than those that the champion was judged on."""

from pydantic import BaseModel, ConfigDict, Field


class DriftSettings(BaseModel):
    """When a feature has drifted, and how much of a day is looked at one by one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    psi: float = Field(0.2, gt=0, description="PSI from which a feature may have drifted")
    times_usual: float = Field(
        2.0, ge=1, description="by so much it must also exceed what a day of the reference differs from the others"
    )
    sample_rows: int = Field(5_000, ge=500, le=1_000_000, description="rows of a day that the classifier is shown")
    report_columns: int = Field(
        20,
        ge=1,
        le=10_000,
        description="features in the report: all that drifted, and those that moved most",
    )
    report_rows: int = Field(20_000, ge=500, le=1_000_000, description="rows of a day in the report, about so many")
