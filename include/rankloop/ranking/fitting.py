"""From a training set to a model: check for leaks, learn preprocessing, choose features, tune, fit.

Each step is a function of the training set and the settings, so that each can be a task of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rankloop.errors import RankloopError
from rankloop.ranking.blocks import Sample, Source, lists_with_reaction, put_together
from rankloop.ranking.leak import refuse_leaks
from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import Preprocessing, learn
from rankloop.ranking.rankers.protocol import FitOptions, OnRound, trial_params
from rankloop.ranking.rankers.registry import ranker_kind
from rankloop.ranking.training_set import REQUEST, TrainingSet
from rankloop.ranking.tuning import Params, SearchSpace, Trial, TrialLog, TrialResult, best_trial, run_search
from rankloop.ranking.windows import TRAIN, VALID
from rankloop.settings.training import TrainingSettings

LEAK_LISTS = 2500
"""Lists of the training days that are looked at for leaks: some 200 000 products."""
SELECTING = {"num_boost_round": 50, "early_stopping_rounds": 50}
"""Rounds of the trees whose gain says which features to keep, for whatever ranker and metric."""


class NothingToLearnError(RankloopError):
    """The training days hold no list in which anything was clicked."""


@dataclass(frozen=True)
class Tuned:
    """What tuning came to."""

    trials: tuple[Trial, ...]
    params: Params
    """Fixed parameters and the best trial's."""


def check_leaks(training: TrainingSettings, data: TrainingSet) -> Mapping[str, float]:
    """By feature, how well it tells clicks from the rest by itself; stops the run where that is too good to be true."""
    sample = _sample(data, TRAIN, LEAK_LISTS)
    parts: dict[str, list[Any]] = {name: [] for name in ("label", *data.features)}
    for _, batch in data.batches(TRAIN, [REQUEST, *parts]):
        rows = sample.taken(batch[REQUEST])
        for name, pieces in parts.items():
            pieces.append(batch[name].to_numpy(zero_copy_only=False)[rows])
    columns: dict[str, Any] = {name: np.concatenate(pieces) for name, pieces in parts.items()}
    clicked = columns.pop("label") > 0
    return refuse_leaks(((name, columns[name]) for name in data.features), clicked, training.leak_limit)


def learn_preprocessing(training: TrainingSettings, data: TrainingSet) -> Preprocessing:
    """Learn the preprocessing on the training days, and keep the features with the highest gain there."""
    _refuse_nothing(data)
    learned = learn(training.preprocessing, data.columns(TRAIN, data.features))
    if len(learned.features) <= training.max_features:
        return learned
    gains = _gains(training, data, learned)
    best = sorted(gains, key=lambda name: (-gains[name], name))[: training.max_features]
    return learned.only(best)


def tune_params(
    training: TrainingSettings,
    data: TrainingSet,
    preprocessing: Preprocessing,
    log: TrialLog,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Tuned:
    """Search for the best parameters within the budget; each trial is fitted on a sample of the training lists."""
    settings = training.params(training.ranker)
    space = SearchSpace(
        choices=settings.tune_params,
        first=settings.fix_params,
        search=training.search,
        max_iter=training.max_iter,
        minutes=training.minutes,
        seed=training.seed,
    )
    # Read when the first trial is fitted: a search that was done already needs no rows.
    source = cache(lambda name: sampled(training, data, preprocessing, name))

    def evaluate(params: Params) -> TrialResult:
        options = fit_options(training, preprocessing, trial_params(settings, params))
        curve = ranker_kind(training.ranker).fit(source(TRAIN), source(VALID), options).curve
        return TrialResult(curve.valid[curve.best_round], curve.best_round + 1)

    trials = run_search(space, evaluate, log, on_trial)
    best = best_trial(trials)
    return Tuned(tuple(trials), trial_params(settings, best.params if best else {}))


def fit_model(
    training: TrainingSettings,
    data: TrainingSet,
    preprocessing: Preprocessing,
    params: Params,
    on_round: OnRound = lambda _round, _figure: None,
) -> Model:
    """Fit a model with these parameters on all lists of the training days in which something was clicked."""
    _refuse_nothing(data)
    options = fit_options(training, preprocessing, params, on_round)
    train, valid = (lists_with_reaction(data, name, preprocessing) for name in (TRAIN, VALID))
    ranker = ranker_kind(training.ranker).fit(train, valid, options)
    noted = {"params": dict(params), "fit": dict(options.fit), "seed": options.seed, "debias": options.debias}
    return Model(training.ranker, preprocessing, ranker, {**noted, "metric": options.metric})


def fit_options(
    training: TrainingSettings,
    preprocessing: Preprocessing,
    params: Params,
    on_round: OnRound = lambda _round, _figure: None,
) -> FitOptions:
    """Return the options to fit a ranker with, as the settings say."""
    return FitOptions(
        params=params,
        fit=training.params(training.ranker).fit_params,
        features=preprocessing.features,
        seed=training.seed,
        threads=training.threads,
        metric=training.tune_metric,
        debias=training.debias_way,
        on_round=on_round,
    )


def _gains(training: TrainingSettings, data: TrainingSet, learned: Preprocessing) -> dict[str, float]:
    """By feature its gain in a few trees, fitted on the training days alone; whatever the ranker will be."""
    source = sampled(training, data, learned, TRAIN)
    options = FitOptions(
        params=training.xgboost.fix_params,
        fit=SELECTING,
        features=learned.features,
        seed=training.seed,
        threads=training.threads,
    )
    ranker = ranker_kind("xgboost").fit(source, source, options)
    return dict(zip(learned.features, ranker.importance().tolist(), strict=True))


def _sample(data: TrainingSet, name: str, lists: int) -> Sample:
    """About so many of a set's lists."""
    return Sample(min(1.0, lists / max(data.counts(name)["lists_with_reaction"], 1)))


def sampled(training: TrainingSettings, data: TrainingSet, preprocessing: Preprocessing, name: str) -> Source:
    """Load a sample of a set into memory, since every trial reads it again."""
    sample = _sample(data, name, training.tune_lists)
    block = put_together(list(lists_with_reaction(data, name, preprocessing, sample)()), len(preprocessing.features))
    return lambda: iter((block,))


def _refuse_nothing(data: TrainingSet) -> None:
    for name in (TRAIN, VALID):
        if not data.counts(name)["lists_with_reaction"]:
            days = data.windows.sets[name]
            raise NothingToLearnError(
                f"training as of {data.windows.as_of}: nothing was clicked in any list of the {name} days "
                f"({days[0]} to {days[-1]}). Check that their interactions name the lists' request_id."
            )
