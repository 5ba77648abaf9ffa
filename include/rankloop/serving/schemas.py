"""The JSON that the serving app takes and returns."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

MAX_ID = 2**53 - 1
"""The largest integer that JSON numbers hold exactly in every language."""
MAX_SCORE = 1_000_000.0
MIN_TIME, MAX_TIME = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Surface = Literal["home", "category", "search"]


def _require_text(value: Any) -> Any:  # noqa: ANN401  (whatever JSON holds)
    if not isinstance(value, str):
        raise ValueError("write it as text, such as 2026-11-03T20:00:00+07:00")  # noqa: TRY004  (pydantic's way)
    return value


TimeWithOffset = Annotated[AwareDatetime, BeforeValidator(_require_text), Field(strict=False)]


class _StrictRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RerankItem(_StrictRequest):
    """A product to rank."""

    product_id: int = Field(ge=0, le=MAX_ID)
    base_score: float = Field(ge=-MAX_SCORE, le=MAX_SCORE, allow_inf_nan=False, description="the shop's own score")


class RerankRequest(_StrictRequest):
    """A list to rank now."""

    account_id: int = Field(ge=0, le=MAX_ID)
    surface: Surface
    products: list[RerankItem] = Field(min_length=1, description="each product once")
    ts: TimeWithOffset | None = Field(
        None, description="when the list is shown, with its offset from UTC; by default now", examples=[None]
    )

    @field_validator("products")
    @classmethod
    def _without_duplicates(cls, value: list[RerankItem]) -> list[RerankItem]:
        counts = Counter(item.product_id for item in value)
        if repeated := sorted(product for product, count in counts.items() if count > 1):
            raise ValueError(f"each product may occur once; these occur more often: {', '.join(map(str, repeated))}")
        return value

    @field_validator("ts")
    @classmethod
    def _plausible(cls, value: datetime | None) -> datetime | None:
        if value is not None and not MIN_TIME <= value < MAX_TIME:
            raise ValueError(f"it has to be between {MIN_TIME:%Y} and {MAX_TIME:%Y}")
        return value


class RecommendedProduct(BaseModel):
    """A product of a buyer's ranking."""

    rank: int
    product_id: int
    score: float
    base_score: float = Field(description="the shop's own score")
    base_rank: int = Field(description="its rank by the shop's own score, 1 the best")
    sources: tuple[str, ...] = Field(description="the candidate sources that proposed it")


class Recommendations(BaseModel):
    """A buyer's ranking in the live batch."""

    account_id: int
    batch: str
    day: date = Field(description="the as-of day: events up to its end count")
    policy: str = Field(description="what ranked: `base`, or the version of a model")
    version: int | None
    fallback: bool = Field(description="true for a buyer that the batch does not have: the shop's own best products")
    products: tuple[RecommendedProduct, ...]


class RankedProduct(BaseModel):
    """A product of a list that was ranked now."""

    rank: int
    product_id: int
    score: float
    base_score: float
    base_rank: int


class RerankResponse(BaseModel):
    """The list, best first."""

    account_id: int
    policy: str
    version: int | None
    day: date | None = Field(description="the as-of day of the features; null with the base ranking")
    products: tuple[RankedProduct, ...]


class FeatureContribution(BaseModel):
    """How one feature moves a product, compared with the other products of the list."""

    feature: str
    means: str
    value: float | None = Field(description="null where it is unknown")
    usual: float | None = Field(description="the median over the list")
    moves: Literal["up", "down"]
    by: float = Field(description="its contribution to the score, less its average contribution over the list")


class Explanation(BaseModel):
    """Why a product has its rank."""

    account_id: int
    product_id: int
    batch: str
    policy: str = Field(description="whose score is explained")
    version: int | None
    day: date | None
    rank: int = Field(description="its rank in the live batch")
    base_rank: int
    sources: tuple[str, ...]
    sentence: str
    reasons: tuple[FeatureContribution, ...]


class Health(BaseModel):
    """Whether the app can serve."""

    ready: bool
    why: str = Field(description="what is missing; empty if nothing is")
    batch: str | None = None
    policy: str | None = Field(None, description="what ranks lists now")
    day: date | None = Field(None, description="the as-of day of the features that rank lists now")


class ErrorResponse(BaseModel):
    """Why the request failed."""

    error: str


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    problem: str


class ValidationErrorResponse(ErrorResponse):
    """A request that is not valid, with its invalid fields."""

    fields: tuple[FieldError, ...]
