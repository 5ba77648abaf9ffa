"""A ranker of somebody's own: one file in a package of theirs, and its path in the settings."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.training.conftest import market, mlflow_address, mongo_address, shop  # noqa: F401  (fixtures)
from tests.training.steps import AS_OF, SMALL, open_record, reproduce

from rankloop.context import open_context
from rankloop.ranking.model import load_model
from rankloop.ranking.rankers.protocol import RankerError
from rankloop.ranking.rankers.registry import RANKERS, ranker_kind
from rankloop.ranking.scored import OURS
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.settings.training import RankerSettings
from rankloop.training import record
from rankloop.training.pipeline import run_training

PATH = "shop_rankers.centroid.CentroidRanker"
SOURCE = '''
"""Ranks by how near a product is to the products that were clicked."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankloop.ranking.metrics import mean_metrics
from rankloop.ranking.rankers.protocol import LearningCurve, require_known_params

FILE = "centroid.json"


@dataclass
class CentroidRanker:
    """The direction from the products that were ignored to those that were clicked."""

    direction: np.ndarray
    curve: LearningCurve

    @classmethod
    def fit(cls, train, valid, options):
        require_known_params("centroid", options.params, frozenset({"shrink"}), "parameter")
        clicked, ignored, counts = 0.0, 0.0, np.zeros(2)
        for block in train():
            hit = block.label > 0
            clicked, ignored = clicked + block.values[hit].sum(axis=0), ignored + block.values[~hit].sum(axis=0)
            counts += [hit.sum(), (~hit).sum()]
        difference = clicked / counts[0] - ignored / counts[1]
        ranker = cls(np.sign(difference) * np.abs(difference) ** options.params["shrink"], None)
        parts = [(ranker.score(block.values), block.label, block.sizes) for block in valid()]
        metric = mean_metrics(*map(np.concatenate, zip(*parts)), [10])[options.metric]
        ranker.curve = LearningCurve(options.metric, (metric,), 0)
        return ranker

    @classmethod
    def load(cls, folder, features):
        direction = np.array(json.loads((folder / FILE).read_text()))
        return cls(direction, LearningCurve("", (), 0))

    def score(self, values):
        return (values.astype(np.float64) * self.direction).sum(axis=1)

    def use_single_thread(self):
        pass

    def importance(self):
        return np.abs(self.direction) / np.abs(self.direction).sum()

    def explain(self, values):
        return np.column_stack([values * self.direction, np.zeros(len(values))])

    def save(self, folder: Path):
        (folder / FILE).write_text(json.dumps(self.direction.tolist()))


NOT_A_RANKER = 7
'''


@dataclass(frozen=True)
class Trained:
    """A training of the ranker, from its plan to its end."""

    settings: Settings
    run_id: str


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package, where Python finds it."""
    root = tmp_path_factory.mktemp("packages")
    (root / "shop_rankers").mkdir()
    (root / "shop_rankers" / "centroid.py").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        yield root
    for name in [name for name in sys.modules if name.startswith("shop_rankers")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def trained(package: Path, shop: Settings) -> Trained:  # noqa: F811  (a fixture)
    """The ranker, trained by all steps of the real pipeline, two trials of tuning included."""
    assert package
    custom = RankerSettings(fix_params={"shrink": 1.0}, tune_params={"shrink": (0.5, 1.0)})
    settings = shop.model_copy(update={"training": SMALL.model_copy(update={"ranker": PATH, "custom": custom})})
    with open_context(settings) as context:
        return Trained(settings, run_training(context, "a ranker of our own", AS_OF, "to try it"))


@pytest.mark.stack
def test_it_is_tuned_trained_evaluated_and_compared_as_any_other(trained: Trained) -> None:
    run = open_record(trained.settings, trained.run_id).run
    assert len(run.get_json(record.TUNING)["trials"]) == 2
    assert any(row["ranking"] == OURS and 0 < row["ndcg@10"] <= 1 for row in run.get_json(record.EVALUATION))
    assert PATH in run.get_text(record.CARD)
    assert run.tags["rankloop.outcome"] in {"registered", "rejected"}


@pytest.mark.stack
def test_it_is_loaded_without_a_pickle_and_scores_what_was_evaluated(trained: Trained, tmp_path: Path) -> None:
    training = open_record(trained.settings, trained.run_id)
    with training.model_folder() as folder:
        files = {path.name for path in folder.rglob("*")}
        model = load_model(folder)
    assert "centroid.json" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle"))]
    scored = pq.read_table(training.run.get_file(record.SCORED, tmp_path / "scored.parquet"))
    [test, *_] = training.tests
    rows = next(batch for _, batch in training.data.batches(test, model.features))
    same = scored.filter([name == test for name in scored["set"].to_pylist()]).slice(0, rows.num_rows)
    assert np.array_equal(model.score(rows), same[OURS].to_numpy())


@pytest.mark.stack
def test_it_is_served_by_mlflow_and_reproduced_from_its_run(trained: Trained) -> None:
    training = open_record(trained.settings, trained.run_id)
    rows = next(batch for _, batch in training.data.batches("train", training.model().features)).slice(0, 20)
    registry = Registry(trained.settings.mlflow)
    found = [version for version in versions.versions(registry) if version.run_id == trained.run_id]
    for version in found:  # none, where the gate rejected it
        served = mlflow.pyfunc.load_model(version.source)
        assert np.array_equal(served.predict(rows.to_pandas()), training.model().score(rows))
    assert reproduce(trained.settings, trained.run_id).same


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("catboost", "no ranker is called 'catboost'; there are xgboost, neural, logistic, or the dotted path"),
        ("no_such_package.Ranker", "there is no module no_such_package. Install its package"),
        ("shop_rankers.centroid.Missing", "the module shop_rankers.centroid has no Missing"),
        ("shop_rankers.centroid.NOT_A_RANKER", "is not a ranker: it lacks fit, load"),
    ],
)
def test_a_path_that_leads_to_no_ranker_is_refused(package: Path, name: str, message: str) -> None:
    assert package
    with pytest.raises(RankerError, match=message):
        ranker_kind(name)


@pytest.mark.parametrize("name", RANKERS)
def test_a_line_of_the_registry_leads_to_a_ranker(name: str) -> None:
    assert ranker_kind(name)
