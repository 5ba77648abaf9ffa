"""When a day's events are good enough to build on."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CleaningSettings(BaseModel):
    """When a day's events are good enough to build on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bad_share: float = Field(0.02, ge=0, le=1, description="share of a source's rows in quarantine that stops the day")
    small_share: float = Field(0.5, ge=0, le=1, description="share of its weekday's usual below which a day stops")
    usual_weeks: int = Field(4, ge=1, le=52, description="earlier weeks that say what is usual for a weekday")
    late_share: float = Field(0.01, ge=0, le=1, description="share of late events from which a day is worth clearing")
    empty_share: float = Field(0.99, gt=0, le=1, description="share of nulls from which a column is called empty")
    memory: str = Field("1GB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="what DuckDB may hold before it spills")
    threads: int = Field(2, ge=1, le=256, description="threads of DuckDB")
    accept: dict[date, frozenset[Literal["empty_day", "small_day", "bad_rows"]]] = Field(
        default_factory=dict, description="by day, the checks that it may fail"
    )
