"""A fixed small marketplace gives the digests that are pinned beside this file: only a change meant to may move them.

Where a change is meant to, write them anew: `PIN_DIGESTS=1 pytest tests/test_pinned_digests.py`.
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from threadpoolctl import threadpool_limits

from rankloop.calendar import start_of
from rankloop.features.whole_day import build_days
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.gate import GateSettings
from rankloop.settings.training import TrainingSettings
from rankloop.training import record
from rankloop.training.running import run_training
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace
from tests.building import lake_of
from tests.mlflow_server import serving as mlflow_serving
from tests.mongo_server import serving as mongo_serving

pytestmark = pytest.mark.stack

PINNED = Path(__file__).with_suffix(".json")
WRITE = bool(os.environ.get("PIN_DIGESTS"))
"""Whether the digests are written down rather than compared."""
DAYS = [date(2026, 11, 1) + timedelta(days=number) for number in range(6)]
TRAINING = TrainingSettings.model_validate(
    {
        "train_days": 2,
        "valid_days": 1,
        "test_blocks": 1,
        "test_block_days": 1,
        "idle_share": 0.5,
        "max_iter": 2,
        "tune_lists": 100,
        "threads": 1,
        "xgboost": {
            "fix_params": {"negatives": 4},
            "tune_params": {"max_depth": [2, 3]},
            "fit_params": {"num_boost_round": 15, "early_stopping_rounds": 5},
        },
    }
)
GATE = GateSettings(confidence=0.51, resamples=100, min_lists=5, recall_tolerance=1.0, segment_floor=1.0)

Digests = Mapping[str, str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A shop whose days were lived, extracted, cleaned and built one after the other."""
    folder = tmp_path_factory.mktemp("pinned")
    place = Marketplace(7, 0.04, DAYS[0], "Asia/Ho_Chi_Minh")
    with (
        threadpool_limits(1, "openmp"),
        mlflow_serving(folder / "mlflow") as mlflow,
        mongo_serving(folder / "mongo") as mongo,
    ):
        settings = Settings(
            home=folder / "home",
            mlflow_uri=mlflow,
            mongo_uri=SecretStr(mongo),
            training=TRAINING,
            gate=GATE,
            features=FeatureSettings(threads=1),
        )
        for day, _ in zip(DAYS, live_days(place, DAYS, Diary(mongo, folder / "truth")), strict=True):
            build_days(settings, [day], start_of(day + timedelta(days=1), settings.zone) + timedelta(hours=1))
        yield settings


@pytest.fixture(scope="module")
def run_id(shop: Settings) -> str:
    """The run of a training on these days."""
    return run_training(shop, "pinned", DAYS[-1], "the digests are pinned", lambda *_: None)


def lake_digests(settings: Settings, *prefixes: str) -> Digests:
    """The digest of each day of the tables whose names begin with one of these."""
    lake = lake_of(settings)
    tables = sorted(table for table in lake.tables() if table.startswith(prefixes))
    return {f"{table} {day}": lake.digest(table, day) for table in tables for day in lake.days(table)}


def compare(part: str, digests: Digests) -> None:
    """Hold digests against the pinned ones of this part, or pin them if that is asked for."""
    pinned = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    if WRITE:
        PINNED.write_text(json.dumps({**pinned, part: digests}, indent=2, sort_keys=True) + "\n")
        return
    assert digests
    assert digests == pinned[part]


def needs_x86() -> None:
    """Skip where floating-point sums are rounded in another order than where the digests were pinned."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("trees split on sums of floats, whose order depends on the processor: pinned on x86-64")


def test_the_same_days_leave_the_same_events(shop: Settings) -> None:
    compare("events", lake_digests(shop, "events/", "quarantine/"))


def test_the_same_events_leave_the_same_features(shop: Settings) -> None:
    needs_x86()
    compare("features", lake_digests(shop, "daily/", "features/"))


def test_the_same_features_leave_the_same_training_set_and_model(shop: Settings, run_id: str) -> None:
    needs_x86()
    run = record.open_record(shop, run_id).run
    found = {"model": run.tags["rankloop.model_digest"], "training set": run.get_json(record.DATA)["digest"]}
    compare("training", {**found, **lake_digests(shop, "training/")})
