"""The simulated marketplace."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCENARIOS = ("tet_campaign", "taste_shift", "new_shop_wave", "unit_bug")


class SimulatorSettings(BaseModel):
    """The simulated marketplace that stands in for the shop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool | None = Field(
        None, description="whether the marketplace is simulated; by default where MongoDB is the embedded server"
    )
    seed: int = Field(7, ge=0, description="the same seed gives the same documents")
    scale: float = Field(0.3, gt=0, le=1000, description="1 is about 2 000 buyers, 5 000 products, 200 shops")
    first_day: date | None = Field(None, description="the first market day; by default so that the demo ends yesterday")
    days: int = Field(23, ge=1, le=370, description="days of history that the demo lives and learns from")
    loop_days: int = Field(7, ge=0, le=30, description="days up to yesterday on which the demo shows what it learned")
    strike: Literal["", "tet_campaign", "taste_shift", "new_shop_wave", "unit_bug"] = Field(
        "taste_shift", description="the scenario that begins on the second of those days; empty for none"
    )
    workers: int = Field(2, ge=1, le=64, description="processes that simulate and load; never changes the documents")
    dirt: bool = Field(True, description="whether a small, known share of the documents is dirty")
    scenarios: dict[str, date] = Field(default_factory=dict, description="scenario name to its first day")

    @field_validator("scenarios")
    @classmethod
    def _known_scenarios(cls, value: dict[str, date]) -> dict[str, date]:
        if unknown := sorted(set(value) - set(SCENARIOS)):
            raise ValueError(f"no scenario is called {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
        return value
