"""Time and peak memory of building a training set and of training on it, at 1 and 5 million rows, beside LightGBM.

    .venv/bin/python benchmarks/bench_training.py [--millions 1 5]

Each measurement runs in a process of its own, in lakes made beforehand. Building is what the task does for a day,
`prepare_day`: events of the marketplace (feature_events.py, one day that shows so many products, lists of 80) are
labelled, joined with the features of the day before and written; lists without a reaction are all kept, so that as many
rows come out as were shown. There is no peer for it: what a notebook does is in bench_features.py. Training is on rows
of another lake, made of random features in which some say what is clicked, 80 a list, over ten days; both fit 100
trees of depth 6 or 63 leaves to all of them, with two threads. Ours streams lists out of the lake; LightGBM has them in
memory, as its Dataset wants.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import feature_events
import lightgbm
import numpy as np
import pyarrow as pa
from bench_features import peak_mb
from building import build_features, lake_of, prepare_day
from seeded import parse_seeded, seed

from rankloop.features.catalogue import feature_names
from rankloop.lake.tables import Lake
from rankloop.ranking.blocks import lists_with_reaction, put_together
from rankloop.ranking.fitting import check_leaks, fit_model, learn_preprocessing
from rankloop.ranking.lists import COUNTS, COUNTS_SCHEMA, LISTS, LISTS_SCHEMA
from rankloop.ranking.parts import SEGMENTS
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.windows import TRAIN, VALID, plan_windows
from rankloop.settings import Settings

AS_OF = date(2026, 11, 3)
MILLION = 1_000_000
PER_LIST = 80
TREES = 100
WINDOW = 7
FIT = {"num_boost_round": TREES, "early_stopping_rounds": TREES}


def settings_in(home: Path) -> Settings:
    """Ten training days, one of validation, and the least of tests; all lists are kept, all products learned from."""
    xgboost = {"fit_params": FIT, "fix_params": {"negatives": 0, "max_depth": 6}}
    days = {"valid_days": 1, "test_blocks": 1, "test_block_days": 1}
    training = {**days, "idle_share": 1.0, "xgboost": xgboost}
    return Settings(home=home, features={"window_days": WINDOW}, training=training)


def make_market(settings: Settings, shown: int) -> None:
    """A lake with a day that shows so many products, the features of the day before, and reactions of the day after."""
    feature_events.make_lake(settings, shown, 1 + WINDOW, whole=True)
    after = feature_events.LAST + timedelta(days=1)
    size = shown // PER_LIST, PER_LIST
    feature_events.put_day(settings, feature_events.crowd(shown), after, feature_events.LAST, size)
    build_features(settings, feature_events.LAST - timedelta(days=1))


def make(settings: Settings, rows: int) -> None:
    """A lake whose training days hold so many rows."""
    for day in plan_windows(settings.training, AS_OF).days:
        table = made_day(day, rows // settings.training.train_days // PER_LIST)
        lake = lake_of(settings)
        written = lake.replace_day(LISTS, day, table, LISTS_SCHEMA)
        lists = table.num_rows // PER_LIST
        count = {"lists": lists, "lists_with_reaction": lists, "lists_kept": lists, "shown": table.num_rows}
        note = {**count, "clicked": lists, "carted": 0, "ordered": 0, "lists_digest": written.digest, "inputs": "made"}
        columns = {name: [value] for name, value in note.items()}
        lake.replace_day(COUNTS, day, pa.table(columns, schema=COUNTS_SCHEMA.remove(0)), COUNTS_SCHEMA)


def made_day(day: date, lists: int) -> pa.Table:
    """A day's rows: one click a list, told by the first few features and chance."""
    random = np.random.default_rng([seed(), day.toordinal()])
    count = lists * PER_LIST
    values = random.random((len(feature_names()), count), dtype=np.float32)
    wish = (values[:8].sum(axis=0) * 4 + random.gumbel(size=count)).reshape(lists, PER_LIST)
    number = np.repeat(np.arange(lists), PER_LIST)
    names = pa.array([f"q{day}-{one:07d}" for one in range(lists)])
    schema = LISTS_SCHEMA.remove(0)
    columns = {
        "request_id": names.take(pa.array(number)),
        "account_id": number,
        "product_id": np.arange(count),
        "ts": pa.array(np.full(count, 1_790_000_000_000_000), pa.int64()).cast(schema.field("ts").type),
        "surface": pa.array(["home"]).take(pa.array(np.zeros(count, np.int64))),
        "policy": pa.array(["base"]).take(pa.array(np.zeros(count, np.int64))),
        "position": np.tile(np.arange(1, PER_LIST + 1), lists),
        "base_score": values[0].astype(np.float64),
        "label": (wish == wish.max(axis=1, keepdims=True)).ravel(),
        "weight": np.ones(count),
        **{name: pa.array(["unknown"]).take(pa.array(np.zeros(count, np.int64))) for name in SEGMENTS},
        **dict(zip(feature_names(), values, strict=True)),
    }
    return pa.table([pa.array(columns[field.name]).cast(field.type) for field in schema], schema=schema)


def opened(settings: Settings) -> TrainingSet:
    """The training set of the lake."""
    return open_training_set(Lake(settings.lake_root), plan_windows(settings.training, AS_OF))


def prepare(settings: Settings) -> None:
    """Label a day's lists, join them with the features of the day before, write them."""
    prepare_day(settings, feature_events.LAST, again=True)


def learn(settings: Settings) -> None:
    """The check for leaks, and preprocessing."""
    check_leaks(settings.training, opened(settings))
    learn_preprocessing(settings.training, opened(settings))


def ours(settings: Settings) -> None:
    """Preprocessing and trees."""
    data = opened(settings)
    fit_model(
        settings.training,
        data,
        learn_preprocessing(settings.training, data),
        dict(settings.training.xgboost.fix_params),
    )


def with_lightgbm(settings: Settings) -> None:
    """The same rows from the same lake, in memory."""
    data = opened(settings)
    preprocessing = learn_preprocessing(settings.training, data)
    train, valid = (put_together(list(lists_with_reaction(data, name, preprocessing)()), 0) for name in (TRAIN, VALID))
    params = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [10], "num_leaves": 63, "max_bin": 64}
    params |= {"learning_rate": 0.1, "num_threads": settings.training.threads, "verbosity": -1}
    learned = lightgbm.Dataset(train.values, train.label, group=train.sizes)
    judged = lightgbm.Dataset(valid.values, valid.label, group=valid.sizes, reference=learned)
    lightgbm.train(params, learned, TREES, valid_sets=[judged])


WORK: dict[str, Callable[[Settings], None]] = {work.__name__: work for work in (prepare, learn, ours, with_lightgbm)}
PREPARED = "build a day's lists with labels and features"
TITLES = {
    "learn": "check for leaks and learn preprocessing",
    "ours": f"learn preprocessing, fit {TREES} trees (Rankloop, streamed)",
    "with_lightgbm": f"learn preprocessing, fit {TREES} trees (LightGBM, in memory)",
}


def measured(work: str, home: Path) -> tuple[float, float]:
    """Seconds and peak megabytes in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", work, str(home)], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def show(work: str, title: str, home: Path, size: float) -> None:
    """Measure, and print a row."""
    seconds, peak = measured(work, home)
    print(f"| {title} | {size:g} | {seconds:.1f} | {peak:.0f} |", flush=True)


def main() -> None:
    """Make the lakes, measure, print."""
    given = argparse.ArgumentParser()
    given.add_argument("--millions", type=float, nargs="+", default=[1, 5])
    print("| work | rows, million | seconds | peak MB |\n| --- | ---: | ---: | ---: |")
    for size in parse_seeded(given).millions:
        with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as folder:
            market, home = Path(folder) / "market", Path(folder) / "training"
            make_market(settings_in(market), round(size * MILLION))
            show("prepare", PREPARED, market, size)
            make(settings_in(home), round(size * MILLION))
            for work, title in TITLES.items():
                show(work, title, home, size)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        started = perf_counter()
        WORK[sys.argv[2]](settings_in(Path(sys.argv[3])))
        print(json.dumps([perf_counter() - started, peak_mb()]))
    else:
        main()
