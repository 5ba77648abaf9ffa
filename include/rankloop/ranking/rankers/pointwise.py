"""Pointwise rankers: a neural network, and logistic regression as a network without hidden layers.

They are fitted by scikit-learn's MLP, a block at a time. Scoring, explanations and storage are written here, so that a
model needs neither scikit-learn nor a pickle.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rankloop.ranking.blocks import Block, Floats, Matrix, Source, put_together, thinned
from rankloop.ranking.metrics import mean_metrics
from rankloop.ranking.propensity import propensities
from rankloop.ranking.rankers.protocol import FitOptions, LearningCurve, RankerError, require_known_params

FILE = "ranker.json"
FIT = frozenset({"num_epochs", "early_stopping_rounds"})
TILE = 256
"""Rows multiplied at a time. The number is fixed, so that a row's score does not depend on the rows beside it."""
EPOCH = 1 << 32
"""Keeps the random draws of epochs apart for any two seeds."""
STEPS = 32
"""Steps of the integrated gradients, from the average row to a row."""

Layer = tuple[Floats, Floats]
"""The weights and offsets of a layer."""


class PointwiseNetwork:
    """A network of layers with ReLU between them, over standardised features."""

    def __init__(self, mean: Floats, scale: Floats, layers: list[Layer], curve: LearningCurve) -> None:
        self.mean = mean
        self.scale = scale
        self.layers = layers
        self.curve = curve

    def score(self, values: Matrix) -> Floats:
        """Return the log odds of a click."""
        scores = np.empty(len(values))
        for start in range(0, len(values), TILE):
            piece = values[start : start + TILE]
            tile = np.zeros((TILE, values.shape[1]))
            tile[: len(piece)] = (piece - self.mean) / self.scale
            scores[start : start + len(piece)] = self._forward(tile)[-1][: len(piece), 0]
        return scores

    def use_single_thread(self) -> None:
        """Do nothing: it has no thread pool."""

    def _forward(self, standard: Floats) -> list[Floats]:
        """Return the output of each layer, the input first."""
        outputs = [standard]
        for number, (weights, offsets) in enumerate(self.layers):
            output = outputs[-1] @ weights + offsets
            outputs.append(output if number == len(self.layers) - 1 else np.maximum(output, 0.0))
        return outputs

    def importance(self) -> npt.NDArray[np.float64]:
        """Return the product of the layers' absolute weights for each feature, as shares."""
        products = np.abs(self.layers[0][0])
        for weights, _ in self.layers[1:]:
            products = products @ np.abs(weights)
        total = products.sum(axis=1)
        return np.asarray(total / total.sum() if total.any() else total)

    def explain(self, values: Matrix) -> Floats:
        """Return the integrated gradients from the average row; they are exact without hidden layers."""
        standard = (values.astype(np.float64) - self.mean) / self.scale
        slope = np.zeros_like(standard)
        for step in range(STEPS):
            slope += self._slope(standard * ((step + 0.5) / STEPS))
        parts = standard * slope / STEPS
        return np.column_stack([parts, self.score(values) - parts.sum(axis=1)])

    def _slope(self, standard: Floats) -> Floats:
        outputs = self._forward(standard)
        slope = np.ones((len(standard), 1))
        for number in reversed(range(len(self.layers))):
            slope = slope @ self.layers[number][0].T
            if number:
                slope *= outputs[number] > 0
        return slope

    def save(self, folder: Path) -> None:
        """Write all numbers as JSON, to the last bit."""
        layers = [{"weights": weights.tolist(), "offsets": offsets.tolist()} for weights, offsets in self.layers]
        facts = {"format": 1, "mean": self.mean.tolist(), "scale": self.scale.tolist(), "layers": layers}
        (folder / FILE).write_text(json.dumps(facts), encoding="utf-8")


class _NetworkKind:
    """How networks of one kind are fitted and loaded."""

    def __init__(self, name: str, known: frozenset[str]) -> None:
        self.name = name
        self.known = known

    def fit(self, train: Source, valid: Source, options: FitOptions) -> PointwiseNetwork:
        """Fit a network until the validation metric stops rising, and return it as of its best round."""
        require_known_params(self.name, options.params, self.known, "parameter")
        require_known_params(self.name, options.fit, FIT, "fit parameter")
        if options.debias == "unbiased":
            raise RankerError(
                f"the {self.name} ranker cannot debias by 'unbiased'. Set training.debias to none or propensity."
            )
        mean, scale = _spread(train, len(options.features))
        weights_of = _row_weights(train, options)
        network = _network(options)
        figures: list[float] = []
        best: list[Layer] = []
        for number in range(options.fit["num_epochs"]):
            for block in _subsampled(train, options, number):
                network.set_params(batch_size=min(int(_number(options, "batch_size")), len(block.label)))
                clicked = (block.label > 0).astype(np.int64)
                standard = (block.values - mean) / scale
                network.partial_fit(standard, clicked, classes=[0, 1], sample_weight=weights_of(block))
            layers = [(w.copy(), b.copy()) for w, b in zip(network.coefs_, network.intercepts_, strict=True)]
            figures.append(
                _valid_metric(PointwiseNetwork(mean, scale, layers, LearningCurve("", (), 0)), valid, options.metric)
            )
            options.on_round(number, figures[-1])
            if figures[-1] >= max(figures):
                best = layers
            if number - int(np.argmax(figures)) >= options.fit["early_stopping_rounds"]:
                break
        curve = LearningCurve(options.metric, tuple(figures), int(np.argmax(figures)))
        return PointwiseNetwork(mean, scale, best, curve)

    def load(self, folder: Path, features: int) -> PointwiseNetwork:
        """Load what `save` wrote."""
        if not (folder / FILE).exists():
            raise RankerError(f"{folder} holds no {FILE}, so there is no {self.name} ranker in it.")
        read = json.loads((folder / FILE).read_text(encoding="utf-8"))
        layers = [(np.array(layer["weights"]), np.array(layer["offsets"])) for layer in read["layers"]]
        if len(read["mean"]) != features:
            raise RankerError(f"{folder / FILE} takes {len(read['mean'])} features, the model has {features}.")
        return PointwiseNetwork(np.array(read["mean"]), np.array(read["scale"]), layers, LearningCurve("", (), 0))


_SHARED = {"alpha", "learning_rate", "batch_size", "negatives"}
NEURAL = _NetworkKind("neural", frozenset({*_SHARED, "layers"}))
LOGISTIC = _NetworkKind("logistic", frozenset(_SHARED))


def _network(options: FitOptions) -> Any:  # noqa: ANN401  (scikit-learn ships no types)
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415  (only fitting needs it)

    layers = options.params.get("layers", ())
    return MLPClassifier(
        hidden_layer_sizes=tuple(layers) if isinstance(layers, (tuple, list)) else (layers,),
        alpha=_number(options, "alpha"),
        learning_rate_init=_number(options, "learning_rate"),
        random_state=options.seed,
    )


def _number(options: FitOptions, name: str) -> float:
    value = options.params.get(name)
    if not isinstance(value, (int, float)):
        raise RankerError(f"the parameter {name} = {value!r} has to be a number.")
    return value


def _subsampled(train: Source, options: FitOptions, epoch: int) -> Iterator[Block]:
    """Yield the lists with some of their ignored products, drawn again each epoch, in blocks of at least one batch."""
    waiting: list[Block] = []
    for block in train():
        waiting.append(thinned(block, int(_number(options, "negatives")), options.seed + epoch * EPOCH))
        if sum(len(piece.label) for piece in waiting) >= _number(options, "batch_size"):
            yield put_together(waiting, len(options.features))
            waiting = []
    if waiting:
        yield put_together(waiting, len(options.features))


def _spread(train: Source, features: int) -> tuple[Floats, Floats]:
    count, total, squares = 0, np.zeros(features), np.zeros(features)
    for block in train():
        values = block.values.astype(np.float64)
        count += len(values)
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
    mean = total / max(count, 1)
    deviation = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0.0))
    return mean, np.where(deviation > 1e-9 * np.maximum(np.abs(mean), 1e-12), deviation, 1.0)


def _row_weights(train: Source, options: FitOptions) -> Any:  # noqa: ANN401  (a function of a block)
    if options.debias != "propensity":
        return lambda _block: None
    curve = propensities(train())
    return lambda block: np.where(block.label > 0, 1 / curve[np.clip(block.position - 1, 0, len(curve) - 1)], 1.0)


def _valid_metric(ranker: PointwiseNetwork, valid: Source, metric: str) -> float:
    scored = [(ranker.score(block.values), block.label, block.sizes) for block in valid()]
    score, label, sizes = (np.concatenate(part) for part in zip(*scored, strict=True))
    return mean_metrics(score, label, sizes, [int(metric.partition("@")[2])])[metric]
