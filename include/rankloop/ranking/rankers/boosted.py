"""Gradient-boosted trees by XGBoost, with the objective `rank:pairwise` or `rank:ndcg`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from xgboost.callback import TrainingCallback

from rankloop.ranking.blocks import Block, Floats, Matrix, Source, thinned
from rankloop.ranking.propensity import list_weights, propensities
from rankloop.ranking.rankers.protocol import FitOptions, LearningCurve, RankerError, require_known_params

FILE = "ranker.ubj"
OBJECTIVES = ("rank:pairwise", "rank:ndcg")
PARAMS = frozenset(
    {
        *("booster", "objective", "eval_metric", "tree_method", "max_bin", "colsample_bytree", "colsample_bylevel"),
        *("colsample_bynode", "subsample", "gamma", "reg_alpha", "reg_lambda", "min_child_weight", "learning_rate"),
        *("max_depth", "max_leaves", "grow_policy", "max_delta_step", "num_parallel_tree", "base_score"),
        *("lambdarank_pair_method", "lambdarank_num_pair_per_sample", "lambdarank_normalization"),
        *("lambdarank_score_normalization", "lambdarank_bias_norm", "ndcg_exp_gain"),
    }
)
FIT = frozenset({"num_boost_round", "early_stopping_rounds"})
DATA = "valid"
NEGATIVES = "negatives"
"""Our own parameter: how many ignored products of each list are used. Each round compares a click with a few of them,
so most of the others cost time and memory and add nothing; validation and tests keep whole lists."""
OUR_PARAMS = frozenset({NEGATIVES})


class BoostedTrees:
    """A ranker of gradient-boosted trees."""

    def __init__(self, booster: xgb.Booster, features: int, curve: LearningCurve) -> None:
        self.booster = booster
        self.features = features
        self.curve = curve

    @classmethod
    def fit(cls, train: Source, valid: Source, options: FitOptions) -> "BoostedTrees":
        """Fit trees until the validation metric stops rising, and keep those up to the best round."""
        require_known_params("xgboost", options.params, PARAMS | OUR_PARAMS, "parameter")
        require_known_params("xgboost", options.fit, FIT, "fit parameter")
        params = _params(options)
        weights_of = _weights(train, options)
        bins = int(params["max_bin"])
        train_data = xgb.QuantileDMatrix(
            _Blocks(_subsampled(train, options), weights_of), max_bin=bins, nthread=options.threads
        )
        valid_data = xgb.QuantileDMatrix(_Blocks(valid), ref=train_data, max_bin=bins, nthread=options.threads)
        history: dict[str, dict[str, list[float]]] = {}
        booster = xgb.train(
            params,
            train_data,
            options.fit["num_boost_round"],
            evals=[(valid_data, DATA)],
            evals_result=history,
            early_stopping_rounds=options.fit["early_stopping_rounds"],
            callbacks=[_ReportRounds(options)],
            verbose_eval=False,
        )
        best = booster.best_iteration
        curve = LearningCurve(options.metric, tuple(float(value) for value in history[DATA][options.metric]), best)
        return cls(booster[: best + 1], len(options.features), curve)

    def score(self, values: Matrix) -> Floats:
        """Return the sum of the trees' leaves, row by row."""
        return np.asarray(self.booster.inplace_predict(values, predict_type="margin")).astype(np.float64)

    def use_single_thread(self) -> None:
        """Set XGBoost's own option, which it keeps for each thread."""
        xgb.set_config(nthread=1)

    def importance(self) -> npt.NDArray[np.float64]:
        """Return each feature's share of the gain of all splits."""
        gains = np.zeros(self.features)
        for name, gain in self.booster.get_score(importance_type="total_gain").items():
            gains[int(name.removeprefix("f"))] = gain
        return gains / gains.sum() if gains.any() else gains

    def explain(self, values: Matrix) -> Floats:
        """Return the SHAP values of the trees."""
        contributions = self.booster.predict(xgb.DMatrix(values), pred_contribs=True)
        return np.asarray(contributions).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write XGBoost's own binary JSON."""
        self.booster.save_model(folder / FILE)

    @classmethod
    def load(cls, folder: Path, features: int) -> "BoostedTrees":
        """Load what `save` wrote."""
        if not (folder / FILE).exists():
            raise RankerError(f"{folder} holds no {FILE}, so there is no xgboost ranker in it.")
        booster = xgb.Booster()
        booster.load_model(folder / FILE)
        return cls(booster, features, LearningCurve("", (), booster.num_boosted_rounds() - 1))


def _params(options: FitOptions) -> dict[str, Any]:
    params = {name: value for name, value in options.params.items() if name not in OUR_PARAMS}
    if (objective := params.get("objective")) not in OBJECTIVES:
        raise RankerError(f"xgboost cannot rank by the objective '{objective}'; there are {', '.join(OBJECTIVES)}.")
    return {
        "max_bin": 256,
        **params,
        # Early stopping watches what the run is tuned by, at the same k.
        "eval_metric": options.metric,
        # XGBoost takes a product's place among the rows of its list for its position. Lists are in that order, but with
        # subsampled negatives the places are those among the remaining rows: the 40th product may count as the 9th. So
        # it learns the effect of coming earlier or later, not that of each position.
        "lambdarank_unbiased": options.debias == "unbiased",
        "nthread": options.threads,
        "seed": options.seed,
        "verbosity": 0,
    }


def _subsampled(train: Source, options: FitOptions) -> Source:
    negatives = options.params.get(NEGATIVES, 0)
    if not isinstance(negatives, int) or negatives < 0:
        raise RankerError(f"{NEGATIVES} = {negatives!r} has to be a number of products, or 0 for all of them.")
    return (lambda: (thinned(block, negatives, options.seed) for block in train())) if negatives else train


WeightsOf = Callable[[Block], npt.NDArray[np.float64] | None]


def _weights(train: Source, options: FitOptions) -> WeightsOf:
    if options.debias != "propensity":
        return lambda _block: None
    curve = propensities(train())
    return lambda block: list_weights(block, curve)


class _ReportRounds(TrainingCallback):
    def __init__(self, options: FitOptions) -> None:
        super().__init__()
        self._options = options

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401, ARG002  (XGBoost's)
        self._options.on_round(epoch, float(evals_log[DATA][self._options.metric][-1]))
        return False


class _Blocks(xgb.DataIter):
    """Feeds blocks to XGBoost one at a time, as often as it asks; XGBoost keeps one byte a value."""

    def __init__(self, source: Source, weights_of: WeightsOf = lambda _block: None) -> None:
        self._source = source
        self._weights_of = weights_of
        self._stream: Iterator[Block] = iter(())
        self._lists = 0
        super().__init__()

    def reset(self) -> None:
        """Start again at the first block."""
        self._stream, self._lists = self._source(), 0

    def next(self, input_data: Any) -> bool:  # noqa: ANN401  (XGBoost's own)
        """Pass on the next block; return false when there is none."""
        block = next(self._stream, None)
        if block is None:
            return False
        lists = np.arange(self._lists, self._lists + len(block.sizes))
        self._lists += len(block.sizes)
        input_data(
            data=block.values, label=block.label, qid=np.repeat(lists, block.sizes), weight=self._weights_of(block)
        )
        return True
