"""A model's folder made by hand: the sum of its features, by weights written as JSON."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FEATURES = ("buyer_clicks", "product_ctr", "price")
EXAMPLE = pa.table({"price": [1.0, None], "buyer_clicks": [0.0, 5.0], "product_ctr": [0.1, 0.2], "position": [1, 2]})


class TinyModel:
    """Scores rows by a weight a feature; an empty value counts nothing."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights
        self.features = tuple(weights)

    def score(self, features: pa.RecordBatch) -> npt.NDArray[np.float64]:
        """The weighted sum of each row."""
        columns = [features[name].to_numpy(zero_copy_only=False) * weight for name, weight in self.weights.items()]
        return np.nansum(np.array(columns, dtype=np.float64), axis=0)


def write(folder: Path, price_weight: float = -0.5) -> Path:
    """The folder with a model in it."""
    folder.mkdir(parents=True)
    weights = dict(zip(FEATURES, (1.0, 10.0, price_weight), strict=True))
    facts = {"format": 1, "ranker": "tiny", "features": list(FEATURES), "options": {}}
    (folder / "model.json").write_text(json.dumps(facts))
    (folder / "ranker.json").write_text(json.dumps(weights))
    return folder


def module() -> ModuleType:
    """What stands for `rankloop.ranking.model`: its `load_model` reads these folders."""
    made = ModuleType("rankloop.ranking.model")
    made.load_model = lambda folder: TinyModel(json.loads((folder / "ranker.json").read_text()))  # type: ignore[attr-defined]
    return made
