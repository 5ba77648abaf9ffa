"""Small models of three features, and rows to score: trees fitted on drawn rows, networks of drawn weights."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xgboost as xgb

from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import learn
from rankloop.ranking.rankers.boosted import BoostedTrees
from rankloop.ranking.rankers.pointwise import PointwiseNetwork
from rankloop.ranking.rankers.protocol import LearningCurve, Ranker
from rankloop.settings.training import PreprocessingSettings

FEATURES = ("context_base_score", "product_ctr", "category4_share")
EXAMPLE = pa.table(
    {"category4_share": [1.0, None], "context_base_score": [0.0, 5.0], "product_ctr": [0.1, 0.2], "position": [1, 2]}
)
ROWS, ROUNDS = 320, 40


def write(
    folder: Path, kind: str = "xgboost", seed: int = 0, columns: Mapping[str, npt.NDArray[np.float32]] | None = None
) -> Path:
    """The folder with a model in it; another seed makes another model, and so do columns of features to learn from."""
    draw = np.random.default_rng(seed)
    columns = columns or dict(zip(FEATURES, draw.random((len(FEATURES), ROWS)).astype(np.float32), strict=True))
    preprocessing = learn(PreprocessingSettings(), columns.items())
    values = preprocessing.apply(pa.table(dict(columns)))
    sizes = {"neural": (3, 4, 1), "logistic": (3, 1)}
    ranker = _trees(values, draw.random(len(values))) if kind == "xgboost" else _network(draw, sizes[kind])
    Model(kind, preprocessing, ranker).save(folder)
    return folder


def _trees(values: np.ndarray, label: np.ndarray) -> Ranker:
    booster = xgb.train({"max_depth": 3, "nthread": 1}, xgb.DMatrix(values, label), ROUNDS)
    return BoostedTrees(booster, values.shape[1], LearningCurve("", (), ROUNDS - 1))


def _network(draw: np.random.Generator, sizes: tuple[int, ...]) -> Ranker:
    layers = [(draw.normal(size=size), draw.normal(size=size[1])) for size in pairwise(sizes)]
    return PointwiseNetwork(np.zeros(sizes[0]), np.ones(sizes[0]), layers, LearningCurve("", (), 0))
