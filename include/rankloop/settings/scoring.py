"""What every buyer's daily ranking is made from."""

from pydantic import BaseModel, ConfigDict, Field


class ScoringSettings(BaseModel):
    """What every buyer's daily ranking is made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_n: int = Field(100, ge=1, le=1000, description="products published for each buyer")
    candidates: int = Field(200, ge=1, le=2000, description="products scored for each buyer at most")
    explore: int = Field(10, ge=0, le=500, description="of them, products drawn at random, so that new ones get seen")
    tasks: int = Field(
        2, ge=1, le=10, description="tasks that rank side by side, each some of the ten shards of the buyers"
    )
    hour: int = Field(20, ge=0, le=23, description="hour of the market day that rankings are scored for")
    keep_batches: int = Field(4, ge=2, le=100, description="published batches that are kept, for going back")
