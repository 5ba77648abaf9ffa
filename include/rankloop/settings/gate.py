"""When a challenger is good enough for a person to be asked."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GateSettings(BaseModel):
    """When a challenger is good enough for a person to be asked. Differences are absolute: 0.01 of NDCG is 0.01."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of the two-sided intervals")
    resamples: int = Field(1000, ge=100, le=100_000, description="resamples of the bootstrap")
    seed: int = Field(7, ge=0, description="the same seed gives the same intervals")
    resample_by: Literal["list", "buyer"] = Field("list", description="what is drawn: lists, or all lists of a buyer")
    min_lists: int = Field(500, ge=1, description="lists with a reaction below which nothing can be said at all")
    recall_tolerance: float = Field(0.005, ge=0, le=1, description="how far recall@30 may be down at its lower bound")
    segment_kinds: tuple[Literal["buyer", "city", "product", "category", "price"], ...] = Field(
        ("buyer", "product", "category", "city"), description="segments that decide; the others are shown"
    )
    segment_floor: float = Field(0.02, ge=0, le=1, description="how far NDCG@10 may be down in a segment")
    segment_floors: dict[str, float] = Field(
        default_factory=dict, description="floors of their own, by segment such as product=cold or by kind"
    )
    segment_lists: int = Field(200, ge=1, description="lists with a reaction below which a segment is not judged")
    top_categories: int = Field(8, ge=0, le=100, description="categories that are segments, the most liked ones")
    refresh_days: int = Field(28, ge=1, description="age beyond which a champion only has to be matched")
    refresh_margin: float = Field(0.005, ge=0, le=1, description="how far NDCG@10 may be down in a refresh")
