"""A small shop that is watched: it learned from a week, half of its buyers see its rankings, and then things happen."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from pydantic import SecretStr

from rankloop.calendar import days_between
from rankloop.champions.current import reconcile_aliases
from rankloop.context import open_context
from rankloop.engine.opening import open_engine
from rankloop.experiment import is_control
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.registry.connection import Registry
from rankloop.scoring.batch import shard_rankings
from rankloop.scoring.ranker import load_ranker, policy_name
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.gate import GateSettings
from rankloop.settings.scoring import ScoringSettings
from rankloop.settings.training import TrainingSettings
from rankloop.state import ledger
from rankloop.state.ledger import LedgerDraft
from rankloop.state.rankings import DEFAULT_BUYER, Batch, Ranking
from rankloop.training.pipeline import run_training
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.scenarios import Scenarios
from rankloop_demo.simulator.storefront import as_rankings
from tests.building import aggregate_day, build_features
from tests.features.market import FIRST_DAY, ZONE, DayOfEvents, clean_events, put

NOW = datetime(2026, 10, 8, 2, tzinfo=UTC)
AS_OF = FIRST_DAY + timedelta(days=6)
"""The day as of which the champion was trained."""
LAST = AS_OF + timedelta(days=5)
SHOWN = list(days_between(AS_OF + timedelta(days=1), LAST))
"""The days on which half of the buyers see rankings of ours."""
RIPE, UNRIPE = SHOWN[-2], SHOWN[-1]
TRAINING = TrainingSettings.model_validate(
    {
        "train_days": 3,
        "valid_days": 1,
        "test_blocks": 1,
        "test_block_days": 1,
        "max_iter": 0,
        "idle_share": 0.2,
        "threads": 1,
        "debias": "none",
        "xgboost": {
            "fix_params": {"negatives": 8, "max_depth": 3},
            "fit_params": {"num_boost_round": 60, "early_stopping_rounds": 10},
        },
    }
)
EASY = GateSettings(confidence=0.51, resamples=100, min_lists=5, recall_tolerance=1.0, segment_floor=1.0)


@dataclass(frozen=True)
class Watched:
    """A shop as it stands after its last day."""

    settings: Settings
    version: int
    events: Mapping[date, DayOfEvents]


@dataclass(frozen=True)
class Maker:
    """Makes shops that are alike until the day on which something happens to one of them."""

    folder: Path
    mlflow: str
    mongo: str
    scale: float = 0.2

    def place(self, scenario: str = "", begin: date = SHOWN[0]) -> Marketplace:
        """The marketplace, in which a scenario begins on a day."""
        scenarios = Scenarios({scenario: begin} if scenario else {})
        return Marketplace(7, self.scale, FIRST_DAY, ZONE, dirt=False, scenarios=scenarios)

    def settings(self, home: Path) -> Settings:
        """Settings of a shop with this home."""
        return Settings(
            home=home,
            mlflow_uri=self.mlflow,
            mongo_uri=SecretStr(self.mongo),
            training=TRAINING,
            gate=EASY,
            scoring=ScoringSettings(top_n=60, candidates=100, explore=5),
            features=FeatureSettings(threads=1),
        )

    @cached_property
    def learned(self) -> tuple[Settings, int, list[Ranking]]:
        """The shop on the evening before its first rankings are shown: a champion, and what it ranked."""
        settings = self.settings(self.folder / "learned")
        for day, events in clean_events(self.place(), days_between(FIRST_DAY, AS_OF)).items():
            _built(settings, day, events)
        with open_context(settings) as context:
            run_training(context, "watched", AS_OF, "the week is complete", lambda *_: None)
        with connect(settings.mongo) as client:
            ledger.append_entry(
                client, LedgerDraft("promoted", "decision 1", 1, None, 1, "ml-lead", "it is better"), None, NOW
            )
            reconcile_aliases(client, Registry(settings.mlflow))
        ranker = load_ranker(Registry(settings.mlflow), 1)
        batch = Batch("b1", AS_OF, 1, policy_name(1), NOW)
        store = FeatureStore(Lake(settings.lake_root), settings.features, settings.zone)
        found: list[Ranking] = []
        for shard in range(10):
            with open_engine(settings.features) as engine:
                found += shard_rankings(engine, store, settings.scoring, batch, ranker, shard)
        return settings, 1, [one for one in found if one.account_id != DEFAULT_BUYER]

    def watched(self, name: str, scenario: str = "", begin: date = SHOWN[0]) -> Watched:
        """The shop after its last day, and all that happened in it."""
        before, version, ranked = self.learned
        home = shutil.copytree(before.home, self.folder / name)
        settings, place = self.settings(home), self.place(scenario, begin)
        shares = is_control([one.account_id for one in ranked], settings.experiment.control_share)
        shown = as_rankings(place.world, [one for one, stays in zip(ranked, shares, strict=True) if not stays])
        events = clean_events(place, days_between(FIRST_DAY, LAST), dict.fromkeys(SHOWN, shown))
        for day in SHOWN:
            _built(settings, day, events[day])
        return Watched(settings, version, events)


def _built(settings: Settings, day: date, events: DayOfEvents) -> None:
    put(settings, day, events)
    aggregate_day(settings, day)
    build_features(settings, day)
