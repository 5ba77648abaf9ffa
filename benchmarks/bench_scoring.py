"""Ranking for every buyer: rows a second beside a bare prediction, documents a second beside a bare insert, memory.

    .venv/bin/python benchmarks/bench_scoring.py [--buyers 10000] [--large]

Events are of feature_events.py, seven days of them. The model has 300 trees of depth 5, fitted on candidates to labels
that favourites and chance make, by every feature there is. Scoring is what `rank_group` does between candidates and
documents: load what is known, join with every feature the model takes, prepare, predict, keep the best 100 of each
buyer; each round begins anew. Its peer is `Booster.inplace_predict` alone, on a portion of the same rows joined and
prepared beforehand, again and again until it has predicted as many, with the same two threads. Publishing is
`write_group`; its peer is `insert_many` of the same documents, made beforehand. Each takes turns with its peer, five
times; the medians stand in the table. `--large` ranks for 100 000 buyers, all ten groups in one process, and tells its
peak memory. Every measurement runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import feature_events
import numpy as np
import pyarrow as pa
import xgboost as xgb
from bench_features import peak_mb
from bench_simulator import server
from building import aggregate_day, build_features
from pymongo import MongoClient
from seeded import parse_seeded, seed

from rankloop.candidates.generation import candidates
from rankloop.candidates.pool import BUYER_SHARDS, CandidatePool, open_candidate_pool
from rankloop.engine.opening import open_engine
from rankloop.engine.protocol import Engine
from rankloop.features.catalogue import feature_names
from rankloop.features.joining.protocol import buyer_shards
from rankloop.features.joining.sets import SetJoiner
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.ranking.model import Model, load_model
from rankloop.ranking.preprocessing import learn
from rankloop.ranking.rankers.boosted import BoostedTrees
from rankloop.ranking.rankers.protocol import LearningCurve
from rankloop.scoring.batch import shard_rankings
from rankloop.scoring.lists import as_lists, list_time
from rankloop.scoring.ranker import ActiveRanker
from rankloop.scoring.scorer import as_float32, build_scorer, top_products
from rankloop.settings import Settings
from rankloop.settings.training import PreprocessingSettings
from rankloop.state.rankings import AT_A_TIME, Batch, Ranking, record_batch, write_shard

LARGE = 100_000
WINDOW, ROUNDS, TREES, DEPTH, THREADS = 7, 5, 300, 5, 2
SHOWN_PER_BUYER = 180
SAMPLE = 200_000


def settings_in(home: Path) -> Settings:
    """The defaults, with a short window."""
    return Settings(home=home, features={"window_days": WINDOW, "threads": THREADS})


def store_of(settings: Settings) -> FeatureStore:
    """Return what candidates are joined with."""
    return FeatureStore(Lake(settings.lake_root), settings.features, settings.zone)


def make(home: Path, buyers: int) -> None:
    """A lake with the features of a day, and a model of every feature beside it."""
    settings = settings_in(home)
    feature_events.make_lake(settings, buyers * SHOWN_PER_BUYER, WINDOW, whole=False)
    aggregate_day(settings, feature_events.LAST)
    build_features(settings, feature_events.LAST)
    rows = joined(settings, 3).slice(0, SAMPLE)
    columns = {name: rows[name].to_numpy(zero_copy_only=False) for name in rows.schema.names}
    preprocessing = learn(PreprocessingSettings(), columns.items())
    values = preprocessing.apply(rows)
    random = np.random.default_rng(seed())
    wish = columns["category4_share"] + columns["product_ctr"] * 5 + random.gumbel(size=len(values)) / 4
    params = {"max_depth": DEPTH, "nthread": THREADS, "max_bin": 64}
    booster = xgb.train(params, xgb.DMatrix(values, (wish > np.quantile(wish, 0.98)).astype(int)), TREES)
    Model(
        "xgboost", preprocessing, BoostedTrees(booster, len(preprocessing.features), LearningCurve("", (), TREES - 1))
    ).save(home / "model")


def candidate_pool(engine: Engine, settings: Settings, shard: int) -> CandidatePool:
    """Return the pool of the last day for one shard of the buyers."""
    options = settings.scoring, settings.features.seen_days
    return open_candidate_pool(engine, Lake(settings.lake_root), feature_events.LAST, shard, *options)


def joined(settings: Settings, group: int) -> pa.RecordBatch:
    """A portion of the candidates of a group, joined with every feature."""
    with open_engine(settings.features) as engine:
        pool = candidate_pool(engine, settings, group)
        lists = engine.materialise(
            as_lists(candidates(pool), list_time(pool.day, settings.zone, settings.scoring.hour))
        )
        store, shard = store_of(settings), buyer_shards(engine, lists)[0]
        rows = SetJoiner(engine, store, lists, feature_events.LAST, shard=shard).table()
        kinds = store.joined_schema(pa.schema([]))
        table = engine.batches(rows.select(*feature_names()), kinds).read_all().combine_chunks()
    return as_float32(table.to_batches()[0], tuple(feature_names()))


def scoring(home: Path) -> dict[str, float]:
    """Rows a second, ours and the bare prediction, in turns."""
    settings, model = settings_in(home), load_model(home / "model")
    values = model.preprocessing.apply(joined(settings, 3))
    bare, ours = [], []
    scorer, top_n = build_scorer(model, "digest"), settings.scoring.top_n
    with open_engine(settings.features) as engine:
        started = perf_counter()
        pool = candidate_pool(engine, settings, 3)
        lists = engine.materialise(
            as_lists(candidates(pool), list_time(pool.day, settings.zone, settings.scoring.hour))
        )
        drawn, count = perf_counter() - started, lists.count().execute()
        for _ in range(ROUNDS):
            started = perf_counter()
            for _ in range(times := -(-count // len(values))):
                model.ranker.booster.inplace_predict(values, predict_type="margin")
            bare.append(times * len(values) / (perf_counter() - started))
            started = perf_counter()
            for _ in top_products(engine, store_of(settings), lists, feature_events.LAST, scorer=scorer, top_n=top_n):
                pass
            ours.append(count / (perf_counter() - started))
    return {"drawn": count / drawn, "ours": median(ours), "bare": median(bare), "rows": count}


def ranked_shard(settings: Settings, ranker: ActiveRanker, shard: int) -> list[Ranking]:
    """Return every buyer's ranking of one shard, as a task makes them."""
    with open_engine(settings.features) as engine:
        return list(shard_rankings(engine, store_of(settings), settings.scoring, a_batch("made"), ranker, shard))


def publishing(home: Path) -> dict[str, float]:
    """Documents a second, ours and the bare insert, in turns."""
    settings = settings_in(home)
    ranker = ActiveRanker(load_model(home / "model"), 1, "digest")
    rankings = ranked_shard(settings, ranker, 3)
    bare, ours = [], []
    with server() as address:
        client = connect(address)
        for number in range(ROUNDS):
            batch = a_batch(f"b{number}")
            record_batch(client, batch)
            ours.append(len(rankings) / seconds(lambda batch=batch: write_shard(client, batch, 3, rankings)))
            bare.append(len(rankings) / bare_insert(address, f"bare{number}", rankings))
        client.close()
    return {"ours": median(ours), "bare": median(bare), "documents": len(rankings)}


def bare_insert(address: str, name: str, rankings: list[Ranking]) -> float:
    """Seconds that `insert_many` takes for the same documents, as many at a time, with the same index."""
    documents = [
        {
            "_id": one.account_id,
            "baid_group": 3,
            **{
                key: list(value) if isinstance(value, tuple) else value
                for key, value in vars(one).items()
                if key != "account_id"
            },
        }
        for one in rankings
    ]
    with MongoClient(address) as client:
        collection = client["rankloop"][name]
        collection.create_index([("baid_group", 1)])
        return seconds(
            lambda: [
                collection.insert_many(documents[first : first + AT_A_TIME], ordered=False)
                for first in range(0, len(documents), AT_A_TIME)
            ]
        )


def memory(home: Path) -> dict[str, float]:
    """Peak memory of ranking for everybody, one group after the other, and the time."""
    settings = settings_in(home)
    ranker = ActiveRanker(load_model(home / "model"), 1, "digest")
    buyers = [0]

    def run() -> None:
        for group in range(BUYER_SHARDS):
            buyers[0] += len(ranked_shard(settings, ranker, group))

    return {"seconds": seconds(run), "buyers": buyers[0] - 1, "peak": peak_mb()}


def a_batch(name: str) -> Batch:
    """A batch as of the day."""
    return Batch(name, feature_events.LAST, 1, "version 1", datetime.now(UTC))


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


WORK: dict[str, Callable[[Path], dict[str, float]]] = {work.__name__: work for work in (scoring, publishing, memory)}


def measured(work: str, home: Path) -> dict[str, float]:
    """What a process of its own found."""
    command = [sys.executable, __file__, "--measure", work, str(home)]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def show(title: str, found: dict[str, float], unit: str) -> None:
    """A row with a ratio."""
    told = f"{found['ours']:,.0f} | {found['bare']:,.0f} | {found['ours'] / found['bare']:.2f}"
    print(f"| {title}, {unit} a second | {told} |", flush=True)


def main() -> None:
    """Make the lake, measure, print."""
    given = argparse.ArgumentParser()
    given.add_argument("--buyers", type=int, default=10_000)
    given.add_argument("--large", action="store_true", help="rank for 100 000 buyers, for the peak memory")
    asked = parse_seeded(given)
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as folder:
        home = Path(folder)
        make(home, LARGE if asked.large else asked.buyers)
        found = measured("scoring", home)
        print(f"{found['rows']:,.0f} candidates of a group, drawn at {found['drawn']:,.0f} rows a second\n")
        print("| | Rankloop | bare | ratio |\n| --- | ---: | ---: | ---: |")
        show("scoring beside `inplace_predict`", found, "rows")
        show("publishing beside `insert_many`", measured("publishing", home), "documents")
        whole = measured("memory", home)
        print(f"\n{whole['buyers']:,.0f} buyers ranked in {whole['seconds']:,.0f} s, peak {whole['peak']:,.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(WORK[sys.argv[2]](Path(sys.argv[3]))))
    else:
        main()
