"""A training's record in its MLflow run: what each step logs there, and how later steps read it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from rankloop.errors import RankloopError
from rankloop.lake.tables import Lake
from rankloop.ranking.metrics import metric_names
from rankloop.ranking.model import Model, load_model
from rankloop.ranking.preprocessing import Preprocessing, load_preprocessing
from rankloop.ranking.scored import ScoredLists, scored_lists
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.windows import TRAIN, VALID, Windows, plan_windows
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import get_model
from rankloop.registry.tracking import AS_OF, REASON, TrainingRun, training_run
from rankloop.settings.gate import GateSettings
from rankloop.settings.training import TrainingSettings

SETTINGS = "settings.json"
CODE = "code.json"
ENVIRONMENT = "environment.json"
DATA = "data.json"
INPUTS = "inputs.json"
"""The partitions of features and events that the training set was built from, and the settings of features."""
LEAKS = "leaks.json"
PREPROCESSING = "preprocessing"
TUNING = "tuning.json"
CALIBRATION = "calibration.json"
"""Stored in the model's folder, so that it is promoted with the model."""
CURVE = "learning_curve.json"
IMPORTANCE = "importance.json"
SCORED = "scored/all.parquet"
COMPARED = "scored/compared.parquet"
EVALUATION = "evaluation.json"
RELIABILITY = "reliability.json"
COMPARISON = "comparison.json"
CHAMPION = "champion.json"
GATE = "gate.json"
REPORT = "comparison.html"
SUMMARY = "summary.md"
CARD = "model_card.md"
REFERENCE = "reference.parquet"

TRAINED_ON = "trained_on"
"""The tag with the digest of the training set that the model was trained on."""
MEASURED, COMPARED_MODEL, JUDGED = "measured", "compared", "judged"
"""The tags with the digest of the model that a step worked on."""
TASKS = {MEASURED: "evaluate", COMPARED_MODEL: "compare", JUDGED: "gate"}
MODEL = "rankloop.model_digest"


class StaleError(RankloopError):
    """The results of an earlier step that belong to another training set or model than the present one."""


@dataclass(frozen=True)
class TrainingRecord:
    """A training: its MLflow run, and what the steps so far logged in it."""

    run: TrainingRun
    lake: Lake

    @property
    def as_of(self) -> date:
        """The last market day whose events it may use."""
        return date.fromisoformat(self.tags[AS_OF])

    @property
    def reason(self) -> str:
        """Why it was started."""
        return self.tags[REASON]

    @property
    def drift(self) -> bool:
        """Whether drift triggered it."""
        return bool(self.plan["drift"])

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """The run's tags, as they were when first read."""
        return self.run.tags

    @cached_property
    def plan(self) -> Mapping[str, Any]:
        """What was requested, and the settings that it was started with."""
        return self.run.get_json(SETTINGS)  # type: ignore[no-any-return]

    @cached_property
    def options(self) -> TrainingSettings:
        """The training settings that it was started with, whatever they are now."""
        return TrainingSettings.model_validate(self.plan["training"])

    @cached_property
    def gate(self) -> GateSettings:
        """The gate settings that it was started with."""
        return GateSettings.model_validate(self.plan["gate"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its evaluation."""
        return metric_names(self.options.eval_k_list, self.options.eval_metric_list)

    @property
    def windows(self) -> Windows:
        """The days of each set."""
        return plan_windows(self.options, self.as_of)

    @property
    def tests(self) -> tuple[str, ...]:
        """The names of its test sets, oldest first."""
        return tuple(name for name in self.windows.sets if name not in {TRAIN, VALID})

    @cached_property
    def data_record(self) -> Mapping[str, Any]:
        """What the run recorded of the training set that was built last."""
        return self.run.get_json(DATA)  # type: ignore[no-any-return]

    @cached_property
    def data(self) -> TrainingSet:
        """The training set that was built, in the table versions of then."""
        built = self.data_record
        return open_training_set(self.lake, self.windows, built["versions"], built["digest"], built["features"])

    def require_same_data(self, what: str, digest: str | None) -> None:
        """Raise an error if `what` belongs to another training set: it may have been built again since."""
        if digest != (now := self.data_record["digest"]):
            raise StaleError(
                f"the {what} of {self.run.owner} are of the training set {digest}, but it was built again since, from "
                f"events or features that had changed, and is {now} now. Clear from `tune` on."
            )

    def require_same_model(self, *done: str) -> None:
        """Raise an error if the model is of another training set, or the results of these steps of another model."""
        self.require_same_data("model and scores", self.tags.get(f"rankloop.{TRAINED_ON}"))
        for step in done:
            if (about := self.tags.get(f"rankloop.{step}", "none")) != (now := self.tags[MODEL]):
                raise StaleError(
                    f"what `{TASKS[step]}` left in {self.run.owner} is of another model ({about[:16]}) than was "
                    f"trained last ({now[:16]}). Clear from `{TASKS[step]}` on."
                )

    def preprocessing(self) -> Preprocessing:
        """Return the preprocessing that was fitted."""
        with TemporaryDirectory() as folder:
            return load_preprocessing(self.run.get_folder(PREPROCESSING, Path(folder) / PREPROCESSING))

    def model(self) -> Model:
        """Return the model that was trained."""
        with self.model_folder() as folder:
            return load_model(folder)

    @contextmanager
    def model_folder(self) -> Iterator[Path]:
        """Download the model's folder for as long as the context lasts."""
        with TemporaryDirectory() as folder:
            yield get_model(self.run, Path(folder) / "model")

    def scored(self, name: str = SCORED) -> ScoredLists:
        """Return the lists that were scored."""
        with TemporaryDirectory() as folder:
            return scored_lists(pq.read_table(self.run.get_file(name, Path(folder) / "lists.parquet")))


def open_record(registry: Registry, lake: Lake, run_id: str) -> TrainingRecord:
    """Return the record of the training with this run."""
    return TrainingRecord(training_run(registry, run_id), lake)
