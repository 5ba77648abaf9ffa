"""What may be asked, and what is answered, as JSON has it."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

LARGEST_ID = 2**53 - 1
"""Beyond it, JSON's numbers lose their last digits in many languages."""
LARGEST_SCORE = 1_000_000.0
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Surface = Literal["home", "category", "search"]


def _written_out(value: Any) -> Any:  # noqa: ANN401  (whatever JSON holds)
    if not isinstance(value, str):
        raise ValueError("write it as text, such as 2026-11-03T20:00:00+07:00")  # noqa: TRY004  (pydantic's way)
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), Field(strict=False)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Offer(_Asked):
    """A product to rank."""

    product_id: int = Field(ge=0, le=LARGEST_ID)
    base_score: float = Field(
        ge=-LARGEST_SCORE, le=LARGEST_SCORE, allow_inf_nan=False, description="the shop's own score"
    )


class RerankRequest(_Asked):
    """A list to rank now."""

    account_id: int = Field(ge=0, le=LARGEST_ID)
    surface: Surface
    products: list[Offer] = Field(min_length=1, description="each product once")
    ts: Moment | None = Field(
        None, description="when the list is shown, with its offset from UTC; by default now", examples=[None]
    )

    @field_validator("products")
    @classmethod
    def _each_once(cls, value: list[Offer]) -> list[Offer]:
        many = Counter(offer.product_id for offer in value)
        if twice := sorted(product for product, times in many.items() if times > 1):
            raise ValueError(f"each product may stand in the list once; more often: {', '.join(map(str, twice))}")
        return value

    @field_validator("ts")
    @classmethod
    def _of_our_time(cls, value: datetime | None) -> datetime | None:
        if value is not None and not FIRST <= value < LAST:
            raise ValueError(f"it has to lie between {FIRST:%Y} and {LAST:%Y}")
        return value


class Recommended(BaseModel):
    """A product of a ranking."""

    rank: int
    product_id: int
    score: float
    base_score: float = Field(description="the shop's own score")
    base_rank: int = Field(description="its place by the shop's own score, 1 the best")
    sources: tuple[str, ...] = Field(description="where the candidate came from")


class Recommendations(BaseModel):
    """A buyer's ranking, of one batch."""

    account_id: int
    batch: str
    day: date = Field(description="what happened up to the end of this market day is known")
    policy: str = Field(description="who ranked: `base`, or the version of a model")
    version: int | None
    fallback: bool = Field(
        description="true for a buyer that the batch does not know: the shop's own best, for anybody"
    )
    products: tuple[Recommended, ...]


class Ranked(BaseModel):
    """A product of a list that was ranked now."""

    rank: int
    product_id: int
    score: float
    base_score: float
    base_rank: int


class RerankAnswer(BaseModel):
    """The list, best first."""

    account_id: int
    policy: str
    version: int | None
    day: date | None = Field(description="of the features; null where the shop's own ranking stands in")
    products: tuple[Ranked, ...]


class Reason(BaseModel):
    """What one feature does to a product's place, against the other products of the list."""

    feature: str
    means: str
    value: float | None = Field(description="null where nothing is known")
    usual: float | None = Field(description="the middle value over the list")
    moves: Literal["up", "down"]
    by: float = Field(description="what it adds to the score, beyond what it adds on average over the list")


class Explanation(BaseModel):
    """Why a product stands where it does."""

    account_id: int
    product_id: int
    batch: str
    policy: str = Field(description="whose score is explained")
    version: int | None
    day: date | None
    rank: int = Field(description="its place in the live batch")
    base_rank: int
    sources: tuple[str, ...]
    sentence: str
    reasons: tuple[Reason, ...]


class Health(BaseModel):
    """Whether it can serve."""

    ready: bool
    why: str = Field(description="what is missing; empty if nothing is")
    batch: str | None = None
    policy: str | None = Field(None, description="who ranks lists now")
    day: date | None = Field(None, description="of the features that lists are ranked by")


class Refused(BaseModel):
    """Why there is no answer."""

    error: str


class Flaw(BaseModel):
    """What is wrong with one field."""

    field: str
    problem: str


class Invalid(Refused):
    """A request that cannot be answered, with the fields that are wrong."""

    fields: tuple[Flaw, ...]
