"""What the steps of a training leave for each other in its MLflow run, and how it is read back."""

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
from rankloop.ranking.metrics import metric_names
from rankloop.ranking.model import Model, load_model
from rankloop.ranking.preprocessing import Preprocessing, load_preprocessing
from rankloop.ranking.scored import ScoredLists, scored_lists
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.windows import TRAIN, VALID, Windows, plan_windows
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import get_model
from rankloop.registry.tracking import AS_OF, REASON, TrainingRun, training_run
from rankloop.settings import Settings
from rankloop.settings.training import TrainingSettings

SETTINGS = "settings.json"
CODE = "code.json"
ENVIRONMENT = "environment.json"
DATA = "data.json"
INPUTS = "inputs.json"
"""Which features and events the training set was made from, and by which settings of features."""
LEAKS = "leaks.json"
PREPROCESSING = "preprocessing"
TUNING = "tuning.json"
CALIBRATION = "calibration.json"
"""In the model's own folder, so that it is promoted with it."""
CURVE = "learning_curve.json"
IMPORTANCE = "importance.json"
SCORED = "scored/all.parquet"
COMPARED = "scored/compared.parquet"
EVALUATION = "evaluation.json"
RELIABILITY = "reliability.json"
COMPARISON = "comparison.json"
STANDING = "champion.json"
GATE = "gate.json"
REPORT = "comparison.html"
SUMMARY = "summary.md"
CARD = "model_card.md"
REFERENCE = "reference.parquet"

TRAINED_ON = "trained_on"
"""The tag for the digest of the training set that the model is of."""
MEASURED, COMPARED_MODEL, JUDGED = "measured", "compared", "judged"
"""The tags for the digest of the model that a step was about."""
TASKS = {MEASURED: "evaluate", COMPARED_MODEL: "compare", JUDGED: "gate"}
MODEL = "rankloop.model_digest"


class StaleError(RankloopError):
    """What an earlier step left is of something that is another by now."""


@dataclass(frozen=True)
class Training:
    """One training: its run, and what the steps so far left in it."""

    settings: Settings
    run: TrainingRun

    @property
    def as_of(self) -> date:
        """The day at whose end everything was known that it may know."""
        return date.fromisoformat(self.tags[AS_OF])

    @property
    def reason(self) -> str:
        """Why it was begun."""
        return self.tags[REASON]

    @property
    def drift(self) -> bool:
        """Whether drift asked for it."""
        return bool(self.noted["drift"])

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """The run's tags, as they were when first asked for."""
        return self.run.tags

    @cached_property
    def noted(self) -> Mapping[str, Any]:
        """What was asked for, and the settings that it was begun with."""
        return self.run.get_json(SETTINGS)  # type: ignore[no-any-return]

    @cached_property
    def options(self) -> TrainingSettings:
        """The settings of training that it was begun with, whatever they are by now."""
        return TrainingSettings.model_validate(self.noted["training"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it is measured by."""
        return metric_names(self.options.eval_k_list, self.options.eval_metric_list)

    @property
    def begun_with(self) -> Settings:
        """The settings of this process, but of training those that it was begun with."""
        return self.settings.model_copy(update={"training": self.options})

    @property
    def windows(self) -> Windows:
        """The days of each set."""
        return plan_windows(self.options, self.as_of)

    @property
    def tests(self) -> tuple[str, ...]:
        """The sets that it is judged on, oldest first."""
        return tuple(name for name in self.windows.sets if name not in {TRAIN, VALID})

    @cached_property
    def built(self) -> Mapping[str, Any]:
        """What was noted of the training set that was built last."""
        return self.run.get_json(DATA)  # type: ignore[no-any-return]

    @cached_property
    def data(self) -> TrainingSet:
        """The training set that was built, of those versions and no other."""
        noted = self.built
        return open_training_set(self.settings, self.windows, noted["versions"], noted["digest"], noted["features"])

    def refuse_other_data(self, what: str, digest: str | None) -> None:
        """Go on only if `what` is of the training set that there is: built again, it may have become another."""
        if digest != (now := self.built["digest"]):
            raise StaleError(
                f"the {what} of {self.run.owner} are of the training set {digest}, but it was built again since, from "
                f"events or features that had changed, and is {now} now. Clear from `tune` on."
            )

    def refuse_other_model(self, *done: str) -> None:
        """Go on only if the model is of the training set that there is, and what these steps left is of this model."""
        self.refuse_other_data("model and scores", self.tags.get(f"rankloop.{TRAINED_ON}"))
        for step in done:
            if (about := self.tags.get(f"rankloop.{step}", "none")) != (now := self.tags[MODEL]):
                raise StaleError(
                    f"what `{TASKS[step]}` left in {self.run.owner} is of another model ({about[:16]}) than was "
                    f"trained last ({now[:16]}). Clear from `{TASKS[step]}` on."
                )

    def preprocessing(self) -> Preprocessing:
        """What was learned about features."""
        with TemporaryDirectory() as folder:
            return load_preprocessing(self.run.get_folder(PREPROCESSING, Path(folder) / PREPROCESSING))

    def model(self) -> Model:
        """The model that was trained."""
        with self.model_folder() as folder:
            return load_model(folder)

    @contextmanager
    def model_folder(self) -> Iterator[Path]:
        """The model's folder, for as long as the context lasts."""
        with TemporaryDirectory() as folder:
            yield get_model(self.run, Path(folder) / "model")

    def scored(self, name: str = SCORED) -> ScoredLists:
        """Lists that were scored."""
        with TemporaryDirectory() as folder:
            return scored_lists(pq.read_table(self.run.get_file(name, Path(folder) / "lists.parquet")))


def open_record(settings: Settings, run_id: str) -> Training:
    """The training with this run."""
    return Training(settings, training_run(Registry(settings.mlflow), run_id))
