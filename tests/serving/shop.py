"""A shop with rankings to serve: batches in MongoDB, versions of a model of real features in MLflow, and the app."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pyarrow as pa
import uvicorn
import xgboost as xgb

from rankloop.champions.current import reconcile_aliases
from rankloop.mongo import connect
from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import learn
from rankloop.ranking.rankers.boosted import BoostedTrees
from rankloop.ranking.rankers.protocol import LearningCurve
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import put_model
from rankloop.registry.tracking import open_training
from rankloop.registry.versions import VersionSummary
from rankloop.scoring.ranker import policy_name
from rankloop.serving.app import create_app
from rankloop.settings import Settings
from rankloop.settings.training import PreprocessingSettings
from rankloop.state import ledger, rankings
from rankloop.state.ledger import LedgerDraft
from rankloop.state.rankings import DEFAULT_BUYER, Batch, Ranking
from tests.running import wait_until

FEATURES = ("context_base_score", "product_price", "product_ctr", "category3_share", "pair_seen", "word_match")
NOW = datetime(2026, 10, 5, 2, tzinfo=UTC)
AS_OF = date(2026, 10, 4)
NUMBERS = count(1)
ROWS, ROUNDS = 400, 8


@dataclass(frozen=True)
class Shop:
    """What the app is about to serve."""

    settings: Settings

    def promote(self) -> int:
        """A new version, registered and made the champion."""
        number = next(NUMBERS)
        run = open_training(Registry(self.settings.mlflow), f"training {os.getpid()} {number}", AS_OF, "weekly")
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            model = small_model(number)
            model.save(path)
            rows = {name: np.zeros(2) for name in FEATURES}
            digest = put_model(run, path, pa.table(rows))
        version = versions.register(
            Registry(self.settings.mlflow), run, digest, VersionSummary(AS_OF, {"training/lists": 1}, "passed")
        )
        self.make_champion(version)
        return version

    def make_champion(self, version: int) -> None:
        """Have the ledger and MLflow say that this version ranks."""
        with connect(self.settings.mongo) as client:
            entries = ledger.read_ledger(client)
            last = entries[-1] if entries else None
            before = last.after if last else None
            draft = LedgerDraft(
                "promoted", f"decision {len(entries)}", version, before, version, "ml-lead", "it is better"
            )
            ledger.append_entry(client, draft, last, NOW)
            reconcile_aliases(client, Registry(self.settings.mlflow))

    def publish(self, name: str, ranked: Sequence[Ranking], version: int | None = None, day: date = AS_OF) -> Batch:
        """A batch of these rankings, made live."""
        batch = Batch(name, day, version, policy_name(version), NOW)
        with connect(self.settings.mongo) as client:
            rankings.record_batch(client, batch)
            for group in {one.account_id % 10 for one in ranked}:
                rankings.write_shard(client, batch, group, [one for one in ranked if one.account_id % 10 == group])
            rankings.publish_batch(client, batch, NOW)
        return batch


def ranking(account_id: int, products: Sequence[int], version: int | None = None, score: float = 0.9) -> Ranking:
    """What a buyer is shown; the shop's own ranking has it the other way round."""
    many = len(products)
    return Ranking(
        account_id,
        policy_name(version),
        tuple(products),
        tuple(score - place / 1000 for place in range(many)),
        tuple(0.5 + place / 1000 for place in range(many)),
        tuple(range(many, 0, -1)),
        ("base+shops",) * many,
    )


def for_anybody(products: Sequence[int]) -> Ranking:
    """What a batch holds for buyers that it does not know."""
    many = len(products)
    scores = tuple(0.5 - place / 1000 for place in range(many))
    return Ranking(DEFAULT_BUYER, "base", tuple(products), scores, scores, tuple(range(1, many + 1)), ("base",) * many)


def small_model(seed: int) -> Model:
    """Trees of a few of the catalogue's features; another seed makes another model."""
    draw = np.random.default_rng(seed)
    scale = np.array([1, 500_000, 0.1, 1, 4, 0.2])
    values = (draw.random((ROWS, len(FEATURES))) * scale).astype(np.float32)
    preprocessing = learn(PreprocessingSettings(), zip(FEATURES, values.T, strict=True))
    booster = xgb.train({"max_depth": 4, "nthread": 1, "seed": seed}, xgb.DMatrix(values, draw.random(ROWS)), ROUNDS)
    return Model("xgboost", preprocessing, BoostedTrees(booster, len(FEATURES), LearningCurve("", (), ROUNDS - 1)))


@contextmanager
def running(settings: Settings, *, ready: bool = True) -> Iterator[httpx.Client]:
    """The app on its port, as it runs in earnest, and a client of it."""
    app = create_app(settings)
    config = uvicorn.Config(app, settings.serving.host, settings.ports.serving, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.ports.serving}", timeout=30, trust_env=False) as client:
            wait_until(lambda: server.started, "the app to start")
            if ready:
                wait_until(lambda: client.get("/health").status_code == 200, "the app to be ready")
            yield client
    finally:
        server.should_exit = True
        thread.join(20)
