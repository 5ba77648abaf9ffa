"""A day's aggregates, features and training lists in a lake, with an engine opened for each call: for tests."""

from datetime import date

from rankloop.engine.opening import open_engine
from rankloop.features import build
from rankloop.features.build import BuildResult
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.ranking.lists import PreparedLists, prepare_lists
from rankloop.settings import Settings


def lake_of(settings: Settings) -> Lake:
    """Open the lake of these settings."""
    return Lake(settings.lake_root)


def aggregate_day(settings: Settings, day: date) -> BuildResult:
    """Write `daily/*` of a day."""
    with open_engine(settings.features) as engine:
        return build.aggregate_day(lake_of(settings), engine, settings.features, settings.zone, day)


def build_features(settings: Settings, day: date) -> BuildResult:
    """Write `features/*` as of the end of a day."""
    with open_engine(settings.features) as engine:
        return build.build_features(lake_of(settings), engine, settings.features, settings.zone, day)


def window_is_complete(settings: Settings, day: date, begun: date | None) -> bool:
    """Whether the days are aggregated that features as of this one look back on."""
    return build.window_is_complete(lake_of(settings), settings.features, day, begun)


def prepare_day(settings: Settings, day: date, *, again: bool = False) -> PreparedLists:
    """Write `training/lists` and `training/counts` of a day."""
    store = FeatureStore(lake_of(settings), settings.features, settings.zone)
    with open_engine(settings.features) as engine:
        return prepare_lists(store, settings.training, lambda: engine, day, again=again)
