"""The one place that reads configuration: environment, then `.env`, then `rankloop.toml`, then the defaults here.

A setting's variable is its path in capitals, `RANKLOOP_PORTS__AIRFLOW` for `ports.airflow`.
"""

import difflib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rankloop.errors import RankloopError
from rankloop.settings.cleaning import CleaningSettings
from rankloop.settings.drift import DriftSettings
from rankloop.settings.experiment import ExperimentSettings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.gate import GateSettings
from rankloop.settings.maintenance import MaintenanceSettings
from rankloop.settings.monitoring import Mode, MonitoringSettings
from rankloop.settings.ports import Ports
from rankloop.settings.promotion import PromotionSettings
from rankloop.settings.scoring import ScoringSettings
from rankloop.settings.serving import ServingSettings
from rankloop.settings.simulator import SimulatorSettings
from rankloop.settings.source import SourceSettings
from rankloop.settings.training import TrainingSettings

PREFIX = "RANKLOOP_"
SECRET = ("mongo_uri", "mlflow_uri", "airflow_url", "serving", "source.options")
"""Settings whose values, or parts of them, must not reach a message."""


class SettingsError(RankloopError):
    """A setting that cannot be used, said in words for the person who set it."""


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
    source: SourceSettings = SourceSettings()
    cleaning: CleaningSettings = CleaningSettings()
    gate: GateSettings = GateSettings()
    promotion: PromotionSettings = PromotionSettings()
    scoring: ScoringSettings = ScoringSettings()
    experiment: ExperimentSettings = ExperimentSettings()
    drift: DriftSettings = DriftSettings()
    serving: ServingSettings = ServingSettings()
    training: TrainingSettings = TrainingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()

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
    def source_in_use(self) -> SourceSettings:
        """How the shop is read; a simulated one says itself which of its days are complete."""
        if self.source.complete_days or not self.simulated:
            return self.source
        return self.source.model_copy(update={"complete_days": "simulator.days"})

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
        values = super().__call__()
        if "api_keys" in values.get("serving", {}):
            raise SettingsError(
                "rankloop.toml holds serving.api_keys, which are secret: remove them there, and set "
                f"{variable('serving.api_keys')} in the environment."
            )
        return values


@cache
def load_settings() -> Settings:
    """Read the settings of this process once, or say which one is wrong."""
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(describe_problem(problem) for problem in error.errors())) from None
    except ValueError as error:  # a file that is no TOML, a list that is no JSON
        raise SettingsError(
            f"the settings cannot be read: {error}. A setting of several values is written as JSON, such as "
            f"""{variable("simulator.scenarios")}='{{"taste_shift": "2026-12-01"}}'; rankloop.toml has to be TOML."""
        ) from None


def variable(path: str) -> str:
    """Return the environment variable of a setting, given its dotted path."""
    return PREFIX + path.replace(".", "__").upper()


def describe_problem(problem: ErrorDetails, section: tuple[str, ...] = ()) -> str:
    """Return what is wrong with a setting, in words, and how to set it."""
    path = ".".join(str(part) for part in (*section, *problem["loc"]))
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
