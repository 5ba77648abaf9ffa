"""How much of a day the domain classifier and the drift report look at, row by row."""

from pydantic import BaseModel, ConfigDict, Field


class DriftSettings(BaseModel):
    """How much of a day is read row by row. From which PSI a feature has drifted says the rule `inputs`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rows: int = Field(5_000, ge=500, le=1_000_000, description="rows of a day that the classifier is shown")
    report_columns: int = Field(
        20,
        ge=1,
        le=10_000,
        description="features in the report: all that drifted, and those that moved most",
    )
    report_rows: int = Field(20_000, ge=500, le=1_000_000, description="rows of a day in the report, about so many")
