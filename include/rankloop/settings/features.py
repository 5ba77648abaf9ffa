"""How events become features, and the engine that does it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Weights(BaseModel):
    """What one interaction of each kind says about a liking, against a click."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    view: float = Field(0.5, ge=0, le=1000, description="a product page opened from outside a list")
    click: float = Field(1.0, ge=0, le=1000, description="a product clicked in a list")
    like_shop: float = Field(2.0, ge=0, le=1000, description="a shop liked")
    add_to_cart: float = Field(3.0, ge=0, le=1000, description="a product put into the cart")
    order: float = Field(5.0, ge=0, le=1000, description="an order")


class FeatureSettings(BaseModel):
    """How events become features, and the engine that does it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: tuple[str, ...] = Field(
        (), description="further feature families, as dotted paths such as my_shop.features.FAMILY"
    )
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="duckdb in this process, or a Spark cluster")
    memory: str = Field("1800MB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="what DuckDB may hold before it spills")
    threads: int = Field(2, ge=1, le=256, description="threads of DuckDB")
    spill: Path | None = Field(None, description="where DuckDB spills; by default the system's temporary folder")
    spill_limit: str = Field("20GB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="how much DuckDB may spill at most")
    spark_master: str = Field("local[2]", description="the Spark master's URL")
    spark: dict[str, str] = Field(default_factory=dict, description="further Spark settings, by their Spark names")
    window_days: int = Field(28, ge=7, le=28, description="days of aggregates that features look back on")
    seen_days: int = Field(7, ge=1, le=28, description="days for which a product shown to a buyer counts as seen")
    category_weights: Weights = Weights()
    shop_weights: Weights = Weights(like_shop=4.0)
    category_half_life: float = Field(10.0, gt=0, description="days after which a look at a category counts half")
    shop_half_life: float = Field(14.0, gt=0, description="days after which a look at a shop counts half")
    product_half_life: float = Field(3.0, gt=0, description="days after which a look at a product counts half")
    prior_shown: float = Field(200.0, gt=0, description="how many times shown the prior of a CTR counts for")
    prior_clicks: float = Field(20.0, gt=0, description="how many clicks the prior of a conversion counts for")
    fresh_days: int = Field(14, ge=1, description="days after its launch for which a product is new")
    top_words: int = Field(30, ge=1, description="important words kept for each buyer")
    city_tiers: tuple[int, ...] = Field((2, 10), description="the last city of each tier, by number of buyers")
    allow_mixed: bool = Field(False, description="use days side by side that were computed by different definitions")
    allow_gaps: bool = Field(False, description="build features though a day within the window is missing")
