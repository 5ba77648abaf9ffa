"""A model: the features it needs, what is done to them, and the ranker. A folder of JSON and its library's own format.

`model.json` says which ranker it is and which features it takes, `preprocessing.json` what was learned about them,
`ranker.ubj` or `ranker.json` is the ranker. Nothing in it is code, and nothing is unpickled to load it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.errors import RankloopError
from rankloop.ranking.blocks import Floats
from rankloop.ranking.preprocessing import Preprocessing, load_preprocessing
from rankloop.ranking.rankers.protocol import Ranker
from rankloop.ranking.rankers.registry import ranker_kind

FILE = "model.json"
FORMAT = 1
ROWS = 1 << 16
"""Rows prepared at a time."""


class ModelError(RankloopError):
    """A folder that holds no model of ours."""


@dataclass(frozen=True)
class Model:
    """Scores rows of lists joined with features."""

    kind: str
    preprocessing: Preprocessing
    ranker: Ranker
    options: Mapping[str, Any] = field(default_factory=dict)
    """What it was fitted with."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features it needs, in its order."""
        return self.preprocessing.features

    def score(self, features: pa.RecordBatch | pa.Table) -> Floats:
        """Return the score of each row, which depends on that row's features alone; other columns are ignored."""
        # Once even where there is no row: a missing column is refused all the same.
        pieces = (features.slice(start, ROWS) for start in range(0, max(features.num_rows, 1), ROWS))
        return np.concatenate([self.ranker.score(self.preprocessing.apply(piece)) for piece in pieces])

    def importance(self) -> dict[str, float]:
        """By feature, its share of what moves the scores, the greatest first."""
        shares = dict(zip(self.features, self.ranker.importance().tolist(), strict=True))
        return dict(sorted(shares.items(), key=lambda entry: (-entry[1], entry[0])))

    def explain(self, features: pa.RecordBatch | pa.Table) -> Floats:
        """Return what each feature adds to each row's score, in the order of `features`, and the constant term last."""
        return self.ranker.explain(self.preprocessing.apply(features))

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"format": FORMAT, "ranker": self.kind, "features": list(self.features), "options": dict(self.options)}
        (folder / FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        self.preprocessing.save(folder)
        self.ranker.save(folder)


def load_model(folder: Path) -> Model:
    """Load the model that `Model.save` wrote into this folder."""
    if not (folder / FILE).exists():
        raise ModelError(f"{folder} holds no {FILE}, so there is no model in it. Download the version again.")
    facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        raise ModelError(f"{folder / FILE} has format {facts.get('format')}; this version reads {FORMAT}. Train again.")
    preprocessing = load_preprocessing(folder)
    if list(preprocessing.features) != facts["features"]:
        raise ModelError(
            f"{folder}: {FILE} and preprocessing.json name different features: they are of two models. "
            "Download the version again."
        )
    ranker = ranker_kind(facts["ranker"]).load(folder, len(preprocessing.features))
    return Model(facts["ranker"], preprocessing, ranker, facts["options"])
