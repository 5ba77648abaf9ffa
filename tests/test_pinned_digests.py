"""Hold a fixed small marketplace to the digests pinned beside this file: events, features, model, batch, drift.

If a change is meant to alter them, or a library in requirements.txt was upgraded, pin them again and say why in the
commit: `PIN_DIGESTS=1 pytest tests/test_pinned_digests.py`. Each part is computed from the parts before it, so look at
the first one that differs.
"""

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from threadpoolctl import threadpool_limits

from rankloop.calendar import start_of
from rankloop.context import open_context
from rankloop.contracts.lake import SCORES
from rankloop.features.whole_day import build_days
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.gate import GateSettings
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.settings.scoring import ScoringSettings
from rankloop.settings.training import TrainingSettings
from rankloop.training import record
from rankloop.training.pipeline import run_training
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace
from tests.building import lake_of
from tests.mlflow_server import serving as mlflow_serving
from tests.mongo_server import serving as mongo_serving
from tests.monitoring.entries import (
    judge_market_day,
    measure_concept,
    measure_drift,
    measure_performance,
    measure_quality,
)
from tests.promotion.shop import Shop
from tests.scoring import batches

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="pinned on Linux on x86-64: elsewhere logarithms and powers may differ in their last bit, and with them "
        "every digest of floats",
    ),
]

PINNED = Path(__file__).with_suffix(".json")
WRITE = bool(os.environ.get("PIN_DIGESTS"))
"""Whether to write the digests rather than compare them."""
DAYS = [date(2026, 11, 1) + timedelta(days=number) for number in range(6)]
"""The days to train on, before any buyer is shown a ranking of ours."""
SHOWN = [DAYS[-1] + timedelta(days=number) for number in (1, 2)]
"""The days on which half of the buyers are shown the batch."""
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

# So strict that a normal day breaks several rules: an empty verdict would pin nothing.
STRICT = MonitoringSettings.model_validate(
    {
        "inputs": {"threshold": 0.05, "share": 0.1, "days": 1, "of": 1, "min_rows": 20},
        "feature": {"threshold": 1.2, "times_usual": 1, "min_rows": 20},
        "prediction": {"threshold": 0.01, "days": 1, "of": 1, "min_rows": 20},
        "population": {"threshold": 0.5, "days": 1, "of": 1, "min_rows": 20},
        "performance": {"threshold": 0, "min_rows": 20},
        "against_control": {"min_rows": 20},
        "source_rows": {"threshold": 0.01},
    }
)

Digests = Mapping[str, Any]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Return the settings of a new shop, with servers of its own."""
    folder = tmp_path_factory.mktemp("pinned")
    with (
        threadpool_limits(1, "openmp"),
        mlflow_serving(folder / "mlflow") as mlflow,
        mongo_serving(folder / "mongo") as mongo,
    ):
        yield Settings(
            home=folder / "home",
            mlflow_uri=mlflow,
            mongo_uri=SecretStr(mongo),
            training=TRAINING,
            gate=GATE,
            scoring=ScoringSettings(top_n=20, candidates=40, explore=3),
            features=FeatureSettings(threads=1),
            monitoring=STRICT,
        )


def live_and_build(settings: Settings, days: Sequence[date]) -> None:
    """Simulate these days, and extract, clean and build each in the night after it."""
    place = Marketplace(7, 0.04, DAYS[0], settings.timezone)
    for day, _ in zip(days, live_days(place, days, Diary(settings.mongo, settings.home / "truth")), strict=True):
        night = start_of(day + timedelta(days=1), settings.zone) + timedelta(hours=1)
        with open_context(settings) as context:
            build_days(context.ingestion, context.engine, settings.features, [day], night)


@pytest.fixture(scope="module")
def built(settings: Settings) -> Settings:
    """Return the shop with the days to train on."""
    live_and_build(settings, DAYS)
    return settings


@pytest.fixture(scope="module")
def run_id(built: Settings) -> str:
    """Return the run of a training on these days."""
    with open_context(built) as context:
        return run_training(context, "pinned", DAYS[-1], "the digests are pinned", lambda *_: None)


@pytest.fixture(scope="module")
def batch(built: Settings, run_id: str) -> str:
    """Return the name of the batch that the trained and promoted model ranked."""
    assert run_id
    Shop(built).decide(1)
    return batches.shown(built, DAYS[-1])


@pytest.fixture(scope="module")
def watched(built: Settings, batch: str) -> Settings:
    """Return the shop after two days on which buyers were shown the batch, with their drift measured."""
    assert batch
    live_and_build(built, SHOWN)
    for measure in (measure_drift, measure_quality):
        measure(built, SHOWN[1])
    for measure in (measure_performance, measure_concept):
        measure(built, SHOWN[0])
    return built


def digests_of(settings: Settings, days: Sequence[date], *prefixes: str) -> Digests:
    """Return the digest of each of these days of the tables with one of these prefixes."""
    lake = lake_of(settings)
    tables = sorted(table for table in lake.tables() if table.startswith(prefixes))
    return {f"{table} {day}": lake.digest(table, day) for table in tables for day in lake.days(table) if day in days}


def rounded(value: object) -> str:
    """Return a value as text, a float to nine digits: they are the same with and without AVX-512."""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def digest_of_json(content: object) -> str:
    """Return the digest of a value as JSON with sorted keys."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def compare(part: str, digests: Digests) -> None:
    """Compare the digests with the pinned ones of this part, or pin them."""
    assert digests
    pinned = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    if WRITE:
        PINNED.write_text(json.dumps({**pinned, part: digests}, indent=2, sort_keys=True) + "\n")
        return
    assert digests == pinned[part]


def test_the_same_days_leave_the_same_events(built: Settings) -> None:
    compare("events", digests_of(built, DAYS, "events/"))


def test_the_same_events_leave_the_same_features(built: Settings) -> None:
    compare("features", digests_of(built, DAYS, "daily/", "features/"))


def test_the_same_features_leave_the_same_training_set_and_model(built: Settings, run_id: str) -> None:
    run = training_run(Registry(built.mlflow), run_id)
    found = {"model": run.tags["rankloop.model_digest"], "training set": run.get_json(record.DATA)["digest"]}
    compare("training", {**found, **digests_of(built, DAYS, "training/")})


def test_the_same_model_and_features_leave_the_same_rankings(built: Settings, batch: str) -> None:
    rankings = batches.content(built, batch)
    by_buyer = digest_of_json([rankings[account] for account in sorted(rankings)])
    found = {"name": batch, "rankings": len(rankings), "content": by_buyer}
    compare("batch", {**found, **digests_of(built, DAYS, SCORES)})


def test_days_on_which_the_rankings_were_shown_leave_the_same_events_and_features(watched: Settings) -> None:
    compare("shown", digests_of(watched, SHOWN, "events/", "daily/", "features/"))


def test_the_same_days_leave_the_same_measures(watched: Settings) -> None:
    lake, found = lake_of(watched), {}
    for name in digests_of(watched, SHOWN, "monitoring/"):
        table, day = name.split()
        rows = lake.read(table, [date.fromisoformat(day)]).to_pylist()
        # The domain classifier adds floats in an order that depends on the processor.
        found[name] = digest_of_json(sorted([rounded(row[column]) for column in sorted(row)] for row in rows))
    compare("measures", found)


def test_the_same_measures_leave_the_same_verdict(watched: Settings) -> None:
    verdict = judge_market_day(watched, SHOWN[1])
    found = [
        {
            "kind": cause.kind,
            "findings": [
                {name: rounded(value) for name, value in finding.model_dump(mode="json").items()}
                for finding in cause.findings
            ],
        }
        for cause in verdict.causes
    ]
    compare("verdict", {"state": verdict.state, "version": verdict.version, "causes": found})
