"""Gradient-boosted trees by XGBoost: `rank:pairwise`, as the reference has it, or `rank:ndcg`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from xgboost.callback import TrainingCallback

from rankloop.ranking.blocks import Block, Floats, Matrix, Source, thinned
from rankloop.ranking.propensity import list_weights, propensities
from rankloop.ranking.rankers.protocol import Curve, FitOptions, RankerError, refuse_unknown

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
"""Ours: how many ignored products of each list are learned from. A list's click is compared with a few of them each
round, so most of the rest cost time and memory and teach nothing; validation and tests keep whole lists."""
OWN = frozenset({NEGATIVES})


class Boosted:
    """A ranker of trees."""

    def __init__(self, booster: xgb.Booster, features: int, curve: Curve) -> None:
        self.booster = booster
        self.features = features
        self.curve = curve

    @classmethod
    def fit(cls, train: Source, valid: Source, options: FitOptions) -> "Boosted":
        """Trees added until the validation days get no better; those after the best round are left out."""
        refuse_unknown("xgboost", options.params, PARAMS | OWN, "parameter")
        refuse_unknown("xgboost", options.fit, FIT, "fit parameter")
        params = _params(options)
        weigh = _weights(train, options)
        bins = int(params["max_bin"])
        learned = xgb.QuantileDMatrix(_Blocks(_some(train, options), weigh), max_bin=bins, nthread=options.threads)
        judged = xgb.QuantileDMatrix(_Blocks(valid), ref=learned, max_bin=bins, nthread=options.threads)
        history: dict[str, dict[str, list[float]]] = {}
        booster = xgb.train(
            params,
            learned,
            options.fit["num_boost_round"],
            evals=[(judged, DATA)],
            evals_result=history,
            early_stopping_rounds=options.fit["early_stopping_rounds"],
            callbacks=[_Tell(options)],
            verbose_eval=False,
        )
        best = booster.best_iteration
        curve = Curve(options.metric, tuple(float(value) for value in history[DATA][options.metric]), best)
        return cls(booster[: best + 1], len(options.features), curve)

    def score(self, values: Matrix) -> Floats:
        """The sum of the trees' leaves, row by row."""
        return np.asarray(self.booster.inplace_predict(values, predict_type="margin")).astype(np.float64)

    def alone(self) -> None:
        """XGBoost keeps this by thread."""
        xgb.set_config(nthread=1)

    def importance(self) -> npt.NDArray[np.float64]:
        """Each feature's share of the gain of all splits."""
        gains = np.zeros(self.features)
        for name, gain in self.booster.get_score(importance_type="total_gain").items():
            gains[int(name.removeprefix("f"))] = gain
        return gains / gains.sum() if gains.any() else gains

    def explain(self, values: Matrix) -> Floats:
        """SHAP values of the trees."""
        found = self.booster.predict(xgb.DMatrix(values), pred_contribs=True)
        return np.asarray(found).astype(np.float64)

    def save(self, folder: Path) -> None:
        """XGBoost's own binary JSON."""
        self.booster.save_model(folder / FILE)

    @classmethod
    def load(cls, folder: Path, features: int) -> "Boosted":
        """What `save` wrote."""
        if not (folder / FILE).exists():
            raise RankerError(f"{folder} holds no {FILE}, so there is no xgboost ranker in it.")
        booster = xgb.Booster()
        booster.load_model(folder / FILE)
        return cls(booster, features, Curve("", (), booster.num_boosted_rounds() - 1))


def _params(options: FitOptions) -> dict[str, Any]:
    params = {name: value for name, value in options.params.items() if name not in OWN}
    if (objective := params.get("objective")) not in OBJECTIVES:
        raise RankerError(f"xgboost cannot rank by the objective '{objective}'; there are {', '.join(OBJECTIVES)}.")
    return {
        "max_bin": 256,
        **params,
        # Early stopping watches what the run is tuned by, at the same k.
        "eval_metric": options.metric,
        # It takes a product's place among the rows of its list for its position. Lists lie in that order, but of those
        # that were thinned out it sees the places among what is left: the 40th product may count as the 9th, so what it
        # learns is the effect of coming earlier or later, not that of each position.
        "lambdarank_unbiased": options.debias == "unbiased",
        "nthread": options.threads,
        "seed": options.seed,
        "verbosity": 0,
    }


def _some(train: Source, options: FitOptions) -> Source:
    negatives = options.params.get(NEGATIVES, 0)
    if not isinstance(negatives, int) or negatives < 0:
        raise RankerError(f"{NEGATIVES} = {negatives!r} has to be a number of products, or 0 for all of them.")
    return (lambda: (thinned(block, negatives, options.seed) for block in train())) if negatives else train


Weigh = Callable[[Block], npt.NDArray[np.float64] | None]


def _weights(train: Source, options: FitOptions) -> Weigh:
    if options.debias != "propensity":
        return lambda _block: None
    curve = propensities(train())
    return lambda block: list_weights(block, curve)


class _Tell(TrainingCallback):
    def __init__(self, options: FitOptions) -> None:
        super().__init__()
        self._options = options

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401, ARG002  (XGBoost's)
        self._options.on_round(epoch, float(evals_log[DATA][self._options.metric][-1]))
        return False


class _Blocks(xgb.DataIter):
    """Hands blocks to XGBoost one at a time, as often as it asks; it keeps a byte a value."""

    def __init__(self, source: Source, weigh: Weigh = lambda _block: None) -> None:
        self._source = source
        self._weigh = weigh
        self._stream: Iterator[Block] = iter(())
        self._lists = 0
        super().__init__()

    def reset(self) -> None:
        """Begin again."""
        self._stream, self._lists = self._source(), 0

    def next(self, input_data: Any) -> bool:  # noqa: ANN401  (XGBoost's own)
        """Hand over the next block; false when there is none."""
        block = next(self._stream, None)
        if block is None:
            return False
        lists = np.arange(self._lists, self._lists + len(block.sizes))
        self._lists += len(block.sizes)
        input_data(data=block.values, label=block.label, qid=np.repeat(lists, block.sizes), weight=self._weigh(block))
        return True
