"""How rankings are served: where, to whom, and within which limits."""

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

SHORTEST_KEY = 16


class ServingSettings(BaseModel):
    """The app that the shop asks for rankings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", min_length=1, description="the address it listens on")
    api_keys: tuple[SecretStr, ...] = Field(
        (), description="who may ask; from the environment alone, and needed wherever others can reach it"
    )
    most_products: int = Field(500, ge=1, le=5000, description="products that may be ranked in one request")
    requests_a_minute: int = Field(60_000, ge=1, description="requests that a key, or a client without one, may make")
    look_every_s: float = Field(2.0, gt=0, le=60, description="how often it looks for a new champion, batch or day")
    mongo_timeout_s: float = Field(2.0, gt=0, le=60, description="how long MongoDB may take for an answer")
    answer_within_s: float = Field(10.0, gt=0, le=60, description="how long a request waits for its turn to be ranked")

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SHORTEST_KEY or not key.get_secret_value().isascii() for key in value):
            raise ValueError(f"a key has at least {SHORTEST_KEY} characters, all of them ASCII; `openssl rand -hex 24`")
        return value

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> "ServingSettings":
        if not self.api_keys and not is_loopback(self.host):
            raise ValueError(
                f"on {self.host} others can reach it, so it needs keys: set RANKLOOP_SERVING__API_KEYS to a JSON list, "
                "or have it listen on 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
