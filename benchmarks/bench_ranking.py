"""How well ours ranks the simulator's test days beside the shop's base ranking, LightGBM, CatBoost and the truth.

    .venv/bin/python benchmarks/bench_ranking.py [--home FOLDER] [--scale 1.0] [--debias]

All learn from the same features of the same lists, with the same threads. Ours is tuned as a training tunes it: at most
`max_iter` trials in `minutes`, each fitted on a sample of the lists, then one fit on all of them. LightGBM and CatBoost
get as many trials, over a grid of learning rates and tree sizes of their own, on the same sample, in as many seconds as
ours took for its trials, and then one fit on all lists in as many as ours took for that. A peer that is stopped by the
time keeps what it has; the table says how many trials each came to. The ceiling ranks by the simulator's true
probability of a click. Intervals are of 95 %, from a bootstrap over the lists. `--home` keeps the simulated lake, or
takes one that was kept. `--debias` instead compares ways to take the effect of position out of the labels.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import catboost
import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from building import lake_of, prepare_day
from seeded import parse_seeded, seed
from simulated_market import Truth, live_in_lake, truth_of

from rankloop.features.families.product import TABLE
from rankloop.lake.tables import Lake
from rankloop.ranking.blocks import Block, Sample, lists_with_reaction, put_together, thinned
from rankloop.ranking.fitting import check_leaks, fit_model, learn_preprocessing, tune_params
from rankloop.ranking.metrics import list_metrics, mean_metrics
from rankloop.ranking.preprocessing import Preprocessing
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.tuning import MemoryLog
from rankloop.ranking.windows import TRAIN, VALID, plan_windows
from rankloop.settings import Settings
from rankloop.settings.training import TrainingSettings
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.taste import attention

FIRST, DAYS, FEATURES_FROM = date(2026, 10, 1), 28, 6
AS_OF = FIRST + timedelta(days=DAYS - 1)
ROUNDS = 1000
SHOWN_METRICS = ("ndcg@5", "ndcg@10", "map@5", "recall@30")
TOP = 10


class Test(NamedTuple):
    """The test lists in which something was clicked, and the truth about them."""

    block: Block
    base: np.ndarray
    probability: np.ndarray
    want: np.ndarray


def main() -> None:
    """Make the market if need be, fit, measure, print."""
    given = argparse.ArgumentParser()
    given.add_argument("--home", type=Path)
    given.add_argument("--scale", type=float, default=1.0)
    given.add_argument("--debias", action="store_true")
    asked = parse_seeded(given)
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as folder:
        settings = Settings(home=asked.home or Path(folder))
        place = Marketplace(asked.seed, asked.scale, FIRST, settings.timezone, dirt=False)
        data = simulated(settings, place)
        (print_debias if asked.debias else print_quality)(settings, place, data)


def simulated(settings: Settings, place: Marketplace) -> TrainingSet:
    """The training set of the simulated days, made where it is not there yet."""
    started = monotonic()
    if AS_OF not in lake_of(settings).days(TABLE.name):
        days = [FIRST + timedelta(days=number) for number in range(DAYS)]
        for _ in live_in_lake(settings, place, days, FIRST + timedelta(days=FEATURES_FROM)):
            pass
    windows = plan_windows(settings.training, AS_OF)
    lived = monotonic()
    for day in windows.days:
        prepare_day(settings, day)
    took = f"{lived - started:.0f} s, training lists {monotonic() - lived:.0f} s"
    data = open_training_set(Lake(settings.lake_root), windows)
    print(f"{DAYS} days simulated: {took}; training set {data.digest}, {data.counts(TRAIN)}\n", flush=True)
    return data


def test_lists(place: Marketplace, data: TrainingSet, preprocessing: Preprocessing) -> Test:
    """All test blocks together."""
    blocks, base, probability, want = [], [], [], []
    for name in (name for name in data.windows.sets if name.startswith("test")):
        blocks += list(lists_with_reaction(data, name, preprocessing)())
        for day, batch in data.batches(name, ["request_id", "product_id", "label", "base_score"]):
            reacted = pc.unique(batch.filter(pc.greater(batch["label"], 0))["request_id"])
            rows = batch.filter(pc.is_in(batch["request_id"], reacted))
            base.append(rows["base_score"].to_numpy())
            found = _places(truth_of(place, day), rows)
            truth = truth_of(place, day)
            probability.append(truth.probability[found])
            want.append(truth.want[found])
    block = put_together(blocks, len(preprocessing.features))
    return Test(block, *(np.concatenate(part) for part in (base, probability, want)))


def _places(truth: Truth, rows: pa.RecordBatch) -> np.ndarray:
    keys = {
        key: row for row, key in enumerate(zip(truth.request_id.to_pylist(), truth.product_id.tolist(), strict=True))
    }
    wanted = zip(rows["request_id"].to_pylist(), rows["product_id"].to_pylist(), strict=True)
    return np.array([keys[key] for key in wanted])


def print_quality(settings: Settings, place: Marketplace, data: TrainingSet) -> None:
    """The table of rankings."""
    training = settings.training
    started = monotonic()
    check_leaks(training, data)
    preprocessing = learn_preprocessing(training, data)
    checked = monotonic()
    tuned = tune_params(training, data, preprocessing, MemoryLog(), lambda trial: print(f"- {trial}", flush=True))
    searched = monotonic()
    model = fit_model(training, data, preprocessing, tuned.params)
    budget = Budget(searched - checked, monotonic() - searched)
    took = f"tuning {budget.trials:.0f} s, fitting {budget.fit:.0f} s"
    print(f"\nleaks and preprocessing {checked - started:.0f} s, {took}: {tuned.params}")
    print(f"trees kept: {model.ranker.curve.best_round + 1}\n", flush=True)
    test = test_lists(place, data, preprocessing)
    rankings = {
        "base": (test.base, 0.0, 0),
        "Rankloop (XGBoost)": (model.ranker.score(test.block.values), sum(budget), len(tuned.trials)),
    }
    lots, some = (lists_of(data, preprocessing, training, most) for most in (None, training.tune_lists))
    for name, peer in PEERS.items():
        started = monotonic()
        score, trials = tuned_peer(peer, lots, some, budget, settings)
        rankings[name] = (score(test.block.values), monotonic() - started, trials)
    rankings["ceiling"] = (test.probability, 0.0, 0)
    print_table(rankings, test)


Score = Callable[[np.ndarray], np.ndarray]
Sets = tuple[Block, Block]
"""Lists to learn from, thinned out, and whole ones to stop by."""
Peer = Callable[[Sets, Mapping[str, Any], float, Settings], Score]


def lists_of(data: TrainingSet, preprocessing: Preprocessing, training: TrainingSettings, most: int | None) -> Sets:
    """All lists with a reaction, or about so many of each set, those that our own trials see."""
    found = []
    for name in (TRAIN, VALID):
        share = 1.0 if most is None else most / max(data.counts(name)["lists_with_reaction"], 1)
        blocks = lists_with_reaction(data, name, preprocessing, Sample(min(1.0, share)))()
        found.append(put_together(list(blocks), len(preprocessing.features)))
    few = thinned(found[0], int(training.xgboost.fix_params["negatives"]), training.seed)  # type: ignore[arg-type]
    return few, found[1]


class Budget(NamedTuple):
    """Seconds that ours took."""

    trials: float
    fit: float


def tuned_peer(peer: Peer, lots: Sets, some: Sets, budget: Budget, settings: Settings) -> tuple[Score, int]:
    """A peer with the best of its grid, and how many trials that took; within the budget that ours had."""
    training, best, trials = settings.training, (-1.0, GRIDS[peer][0]), 0
    until = monotonic() + budget.trials
    for params in GRIDS[peer][: training.max_iter]:
        if monotonic() >= until:
            break
        score = peer(some, params, until, settings)
        judged = some[1]
        figure = mean_metrics(score(judged.values), judged.label, judged.sizes)[training.tune_metric]
        best, trials = max(best, (figure, params), key=lambda one: one[0]), trials + 1
    print(f"- {peer.__name__}: {trials} trials, best {training.tune_metric} {best[0]:.4f} by {best[1]}", flush=True)
    return peer(lots, best[1], monotonic() + budget.fit, settings), trials


def with_lightgbm(sets: Sets, chosen: Mapping[str, Any], until: float, settings: Settings) -> Score:
    """LightGBM's lambdarank, stopped by the validation days or by the time."""
    train, valid = sets

    def in_time(env: Any) -> None:  # noqa: ANN401  (LightGBM's own)
        if monotonic() > until:
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

    params = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        **chosen,
        "max_bin": 64,
        "bagging_fraction": 0.9,
        "bagging_freq": 1,
        "feature_fraction": 0.9,
        "verbosity": -1,
        "num_threads": settings.training.threads,
        "seed": settings.training.seed,
    }
    learned = lightgbm.Dataset(train.values, train.label, group=train.sizes)
    judged = lightgbm.Dataset(valid.values, valid.label, group=valid.sizes, reference=learned)
    stop = lightgbm.early_stopping(30, verbose=False)
    booster = lightgbm.train(params, learned, ROUNDS, valid_sets=[judged], callbacks=[stop, in_time])
    return lambda values: np.asarray(booster.predict(values, num_iteration=booster.best_iteration))


def with_catboost(sets: Sets, chosen: Mapping[str, Any], until: float, settings: Settings) -> Score:
    """CatBoost's YetiRank, stopped by the validation days or by the time."""

    class InTime:
        def after_iteration(self, _info: Any) -> bool:  # noqa: ANN401  (CatBoost's own)
            return monotonic() < until

    pools = [
        catboost.Pool(one.values, one.label, group_id=np.repeat(np.arange(len(one.sizes)), one.sizes)) for one in sets
    ]
    model = catboost.CatBoost(
        {
            **chosen,
            "loss_function": "YetiRank",
            "eval_metric": "NDCG:top=10;type=Exp",
            "iterations": ROUNDS,
            "border_count": 64,
            "thread_count": settings.training.threads,
            "use_best_model": True,
            "random_seed": settings.training.seed,
            "verbose": False,
            "allow_writing_files": False,
        }
    )
    model.fit(pools[0], eval_set=pools[1], early_stopping_rounds=30, callbacks=[InTime()])
    return lambda values: np.asarray(model.predict(values))


PEERS: Mapping[str, Peer] = {"LightGBM (lambdarank)": with_lightgbm, "CatBoost (YetiRank)": with_catboost}
RATES = (0.1, 0.05, 0.2)
# Their usual values first, as ours are.
GRIDS: Mapping[Peer, Sequence[Mapping[str, Any]]] = {
    with_lightgbm: [{"learning_rate": rate, "num_leaves": leaves} for rate in RATES for leaves in (31, 15, 63)],
    with_catboost: [{"learning_rate": rate, "depth": depth} for rate in RATES for depth in (6, 5, 4)],
}


def print_table(rankings: Mapping[str, tuple[np.ndarray, float, int]], test: Test) -> None:
    """A row a ranking: each metric with its interval, and how far it is from base to ceiling."""
    block = test.block
    figures = {name: list_metrics(score, block.label, block.sizes) for name, (score, *_) in rankings.items()}
    draws = np.random.default_rng(seed()).multinomial(
        len(block.sizes), np.full(len(block.sizes), 1 / len(block.sizes)), 1000
    )
    mean = {name: {m: float(np.mean(values[m])) for m in SHOWN_METRICS} for name, values in figures.items()}
    heads = "".join(f" {metric} | times base | of the way |" for metric in SHOWN_METRICS)
    print(f"| ranking | seconds | trials |{heads}")
    print("| --- | ---: | ---: |" + " --- | ---: | ---: |" * len(SHOWN_METRICS))
    for name, (_, seconds, trials) in rankings.items():
        cells = []
        for metric in SHOWN_METRICS:
            low, high = np.quantile(draws @ figures[name][metric] / len(block.sizes), [0.025, 0.975])
            base, ceiling = mean["base"][metric], mean["ceiling"][metric]
            way = (mean[name][metric] - base) / (ceiling - base)
            cells += [
                f"{mean[name][metric]:.4f} [{low:.4f}, {high:.4f}]",
                f"{mean[name][metric] / base:.2f}",
                f"{way:.0%}",
            ]
        print(f"| {name} | {seconds:.0f} | {trials} | " + " | ".join(cells) + " |")
    ours = next(name for name in rankings if name.startswith("Rankloop"))
    print("\n| ours less the peer's, list by list |" + "".join(f" {metric} |" for metric in SHOWN_METRICS))
    print("| --- |" + " --- |" * len(SHOWN_METRICS))
    for name in PEERS:
        cells = []
        for metric in SHOWN_METRICS:
            less = figures[ours][metric] - figures[name][metric]
            low, high = np.quantile(draws @ less / len(block.sizes), [0.025, 0.975])
            cells.append(f"{less.mean():+.4f} [{low:+.4f}, {high:+.4f}]")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\n{len(block.sizes)} test lists with a reaction, {len(block.label)} products.")


def print_debias(settings: Settings, place: Marketplace, data: TrainingSet) -> None:
    """Ways to debias, on the lists as they were shown and as buyers would take them if they were shown in our order."""
    preprocessing = learn_preprocessing(settings.training, data)
    test = test_lists(place, data, preprocessing)
    print(f"| debias | ndcg@10 | map@5 | clicks expected in the first {TOP} if shown in this order |")
    print("| --- | ---: | ---: | ---: |")
    print_debias_row("(base)", test, test.base)
    for way in ("none", "unbiased", "propensity"):
        training = settings.training.model_copy(update={"debias": way})
        model = fit_model(training, data, preprocessing, dict(training.xgboost.fix_params))
        print_debias_row(
            f"{way}, {model.ranker.curve.best_round + 1} trees", test, model.ranker.score(test.block.values)
        )
    print_debias_row("(true wish)", test, test.want)


def print_debias_row(name: str, test: Test, score: np.ndarray) -> None:
    """One way to debias."""
    block = test.block
    figures = list_metrics(score, block.label, block.sizes)
    number = np.repeat(np.arange(len(block.sizes)), block.sizes)
    order = np.lexsort((-score, number))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(block.sizes) - block.sizes, block.sizes)
    clicks = (test.want[order] * attention(int(block.sizes.max()))[rank])[rank < TOP].sum() / len(block.sizes)
    print(f"| {name} | {figures['ndcg@10'].mean():.4f} | {figures['map@5'].mean():.4f} | {clicks:.4f} |", flush=True)


if __name__ == "__main__":
    main()
