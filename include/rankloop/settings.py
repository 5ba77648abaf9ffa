"""The one place that reads configuration: environment, then `.env`, then `rankloop.toml`, then the defaults here.

A setting's variable is its path in capitals, `RANKLOOP_PORTS__AIRFLOW` for `ports.airflow`.
"""

import difflib
import os
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rankloop.drift_settings import DriftSettings
from rankloop.errors import RankloopError
from rankloop.monitoring_settings import Mode, MonitoringSettings
from rankloop.serving_settings import ServingSettings
from rankloop.training_settings import TrainingSettings
from rankloop.upkeep_settings import UpkeepSettings

PREFIX = "RANKLOOP_"
SECRET = ("mongo_uri", "mlflow_uri", "airflow_url", "serving")
"""Settings whose values, or parts of them, must not reach a message."""
SCENARIOS = ("tet_campaign", "taste_shift", "new_shop_wave", "unit_bug")


class SettingsError(RankloopError):
    """A setting that cannot be used, said in words for the person who set it."""


class Ports(BaseModel):
    """Where the servers of the embedded stack listen, all on 127.0.0.1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    airflow: int = Field(8080, ge=1, le=65535, description="the Airflow UI and API")
    mlflow: int = Field(5000, ge=1, le=65535, description="the MLflow UI and API")
    mongo: int = Field(27117, ge=1, le=65535, description="the embedded MongoDB-compatible server")
    serving: int = Field(8000, ge=1, le=65535, description="the serving app and its storefront")

    @model_validator(mode="after")
    def _each_its_own(self) -> "Ports":
        taken = [self.airflow, self.mlflow, self.mongo, self.serving]
        if len(set(taken)) < len(taken):
            raise ValueError(f"two servers cannot share a port: airflow, mlflow, mongo, serving are {taken}")
        return self


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
    allow_gaps: bool = Field(False, description="build features though a day within the window is missing")


class CleaningSettings(BaseModel):
    """When a day's events are good enough to build on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bad_share: float = Field(0.02, ge=0, le=1, description="share of a source's rows in quarantine that stops the day")
    small_share: float = Field(0.5, ge=0, le=1, description="share of its weekday's usual below which a day stops")
    usual_weeks: int = Field(4, ge=1, le=52, description="earlier weeks that say what is usual for a weekday")
    late_share: float = Field(0.01, ge=0, le=1, description="share of late events from which a day is worth clearing")
    empty_share: float = Field(0.99, gt=0, le=1, description="share of nulls from which a column is called empty")
    clock_skew_s: int = Field(
        300, ge=1, le=86_400, description="seconds by which an event may precede its own time; an _id knows no less"
    )
    readers: int = Field(4, ge=1, le=32, description="threads that read a day out of MongoDB, each a part of the day")
    memory: str = Field("1GB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="what DuckDB may hold before it spills")
    threads: int = Field(2, ge=1, le=256, description="threads of DuckDB")
    accept: dict[date, frozenset[Literal["empty_day", "small_day", "bad_rows"]]] = Field(
        default_factory=dict, description="by day, the checks that it may fail"
    )


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


class PromotionSettings(BaseModel):
    """Who decides about a challenger, and how they learn that they are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approvers: tuple[str, ...] = Field(
        ("ml-lead",), min_length=1, description="Airflow's ids of those who may answer; user names in the embedded one"
    )
    answer_within_days: float = Field(5.0, gt=0, description="days after which no answer counts as Reject")
    apprise: str = Field("", description="an Airflow connection of type apprise, by which they are told as well")


class ScoringSettings(BaseModel):
    """What every buyer's daily ranking is made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_n: int = Field(100, ge=1, le=1000, description="products published for each buyer")
    candidates: int = Field(200, ge=1, le=2000, description="products scored for each buyer at most")
    explore: int = Field(10, ge=0, le=500, description="of them, products drawn by chance, so that new ones get seen")
    hour: int = Field(20, ge=0, le=23, description="hour of the market day that rankings are scored for")
    keep_batches: int = Field(4, ge=2, le=100, description="published batches that are kept, for going back")


class ExperimentSettings(BaseModel):
    """The comparison of our rankings with the shop's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control_share: float = Field(0.5, ge=0, le=1, description="share of buyers who stay on the shop's own ranking")


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        toml_file="rankloop.toml",
        extra="forbid",
        frozen=True,
    )

    home: Path = Field(Path(".rankloop"), description="the one folder that holds all state of the embedded stack")
    lake: str = Field("", description="the lake's folder, or URI in an object store; by default in home")
    timezone: str = Field("Asia/Ho_Chi_Minh", description="the time zone that a market day is counted in")
    deadline_hours: float = Field(4, gt=0, description="hours from its run's queueing until a market day is late")
    mongo_uri: SecretStr | None = Field(None, description="a MongoDB to use instead of the embedded server")
    mlflow_uri: str | None = Field(None, description="an MLflow to use instead of the embedded server")
    airflow_url: str | None = Field(None, description="where people reach Airflow, if that is not the embedded one")
    git_commit: str | None = Field(
        None, pattern=r"^[0-9a-f]{7,64}$", description="the commit that was deployed, where there is no git to ask"
    )
    ports: Ports = Ports()
    simulator: SimulatorSettings = SimulatorSettings()
    features: FeatureSettings = FeatureSettings()
    cleaning: CleaningSettings = CleaningSettings()
    gate: GateSettings = GateSettings()
    promotion: PromotionSettings = PromotionSettings()
    scoring: ScoringSettings = ScoringSettings()
    experiment: ExperimentSettings = ExperimentSettings()
    drift: DriftSettings = DriftSettings()
    serving: ServingSettings = ServingSettings()
    training: TrainingSettings = TrainingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    upkeep: UpkeepSettings = UpkeepSettings()

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        if value == Path():
            raise ValueError("an empty path would make the current folder the home; name a folder")
        try:
            return value.expanduser().resolve()
        except (OSError, RuntimeError) as error:
            raise ValueError(str(error)) from error

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a name such as Asia is a folder of zones
            raise ValueError(f"no time zone is called '{value}'; take an IANA name such as Asia/Ho_Chi_Minh") from error
        return value

    @field_validator("mongo_uri")
    @classmethod
    def _a_mongo_uri(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            # The value itself may hold a password, so the message does not repeat it.
            raise ValueError("a MongoDB URI starts with mongodb:// or mongodb+srv://")
        return value

    @field_validator("mlflow_uri", "airflow_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        # It is written into runs, versions and messages, where no password belongs.
        if value is not None and (not value.startswith(("http://", "https://")) or "@" in value):
            raise ValueError(
                "an address starts with http:// or https:// and holds no password; "
                "give that of MLflow by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        return value and value.rstrip("/")

    @property
    def lake_root(self) -> str:
        """Where the lake is."""
        return self.lake or str(self.home / "lake")

    @property
    def simulated(self) -> bool:
        """Whether the simulator makes the marketplace."""
        return self.simulator.enabled if self.simulator.enabled is not None else self.mongo_uri is None

    @property
    def acts(self) -> Mode:
        """Whether monitoring does something by itself; nothing is at stake where the marketplace is simulated."""
        return self.monitoring.mode or ("on" if self.simulated else "dry_run")

    @property
    def zone(self) -> ZoneInfo:
        """The market's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def mongo(self) -> str:
        """The URI of the MongoDB in use."""
        if self.mongo_uri:
            return self.mongo_uri.get_secret_value()
        return f"mongodb://127.0.0.1:{self.ports.mongo}"

    @property
    def mlflow(self) -> str:
        """The address of the MLflow in use."""
        return self.mlflow_uri or f"http://127.0.0.1:{self.ports.mlflow}"

    @property
    def airflow(self) -> str:
        """The address at which people reach Airflow."""
        return self.airflow_url or f"http://127.0.0.1:{self.ports.airflow}"

    @classmethod
    def settings_customise_sources(  # noqa: D102  (pydantic-settings' hook)
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (ours takes its place)
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = _KeylessToml(settings_cls)
        return init_settings, env_settings, _OwnDotEnv(settings_cls), toml, file_secret_settings


class _OwnDotEnv(DotEnvSettingsSource):
    """`.env` without the variables of other programs, which pydantic would take for mistyped settings."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: value for name, value in super()._load_env_vars().items() if name.startswith(PREFIX.lower())}


class _KeylessToml(TomlConfigSettingsSource):
    """`rankloop.toml`, which may be in git and so holds no keys."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        if "api_keys" in found.get("serving", {}):
            raise SettingsError(
                "rankloop.toml holds serving.api_keys, which are secret: remove them there, and set "
                f"{variable('serving.api_keys')} in the environment."
            )
        return found


@cache
def load_settings() -> Settings:
    """Read the settings of this process once, or say which one is wrong."""
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_in_words(problem) for problem in error.errors())) from None
    except ValueError as error:  # a file that is no TOML, a list that is no JSON
        raise SettingsError(
            f"the settings cannot be read: {error}. A setting of several values is written as JSON, such as "
            f"""{variable("simulator.scenarios")}='{{"taste_shift": "2026-12-01"}}'; rankloop.toml has to be TOML."""
        ) from None


def variable(path: str) -> str:
    """The environment variable of a setting, by its dotted path."""
    return PREFIX + path.replace(".", "__").upper()


def _in_words(problem: ErrorDetails) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"no setting is called {path}; look for it in rankloop.toml and .env, and see .env.example."
    value = "…" if path.startswith(SECRET) else problem["input"]
    message = problem["msg"].removeprefix("Value error, ")
    return f"setting {path} = {value!r}: {message}. Set it by {variable(path)} or in rankloop.toml."


def _refuse_unknown_variables() -> None:
    """Pydantic ignores variables it does not know, so a mistyped one would silently change nothing."""
    known = [variable(path) for path in _paths(Settings)]
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and not any(name == path or name.startswith(f"{path}__") for path in known):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" There are {', '.join(known)}."
            raise SettingsError(f"no setting belongs to the variable {name}.{hint}")


def _paths(model: type[BaseModel], parent: str = "") -> list[str]:
    paths: list[str] = []
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            paths += [parent + name, *_paths(nested, f"{parent}{name}.")]
        else:
            paths.append(parent + name)
    return paths
