"""Where the shop's data is, and how it is read."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MONGO_SOURCE = "rankloop.sources.mongo.reader.MongoSource"


class SourceSettings(BaseModel):
    """Where the shop's data is, and how it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(
        MONGO_SOURCE,
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
        description="the class that reads the shop's data, as a dotted path; it follows rankloop.sources.protocol",
    )
    complete_days: str = Field(
        "",
        pattern=r"^$|^[^.]+\.[^.]+",
        description="the MongoDB collection, as database.collection, that holds a document by each complete day, its "
        "_id the day as YYYY-MM-DD; days wait for it. By default the simulator's where the marketplace is simulated, "
        "else none",
    )
    clock_skew_s: int = Field(
        300, ge=1, le=86_400, description="seconds by which an event may precede its own time; an _id knows no less"
    )
    readers: int = Field(4, ge=1, le=32, description="threads that read a day, each a part of the day")
    options: dict[str, Any] = Field(default_factory=dict, description="what the class of another source wants to know")
