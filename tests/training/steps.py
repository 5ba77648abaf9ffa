"""The steps of a training one after the other, and what they leave."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from mlflow import MlflowClient

from rankloop.context import Context, open_context
from rankloop.lake.tables import Lake
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import TrainingRun
from rankloop.registry.versions import CHAMPION, MODEL
from rankloop.settings import Settings
from rankloop.settings.gate import GateSettings
from rankloop.settings.training import TrainingSettings
from rankloop.training import evaluation, fitting, record, registration
from rankloop.training import reproduce as reproduction
from rankloop.training.pipeline import run_training
from rankloop.training.record import TrainingRecord
from tests.features.market import FIRST_DAY

R = TypeVar("R")
AS_OF = FIRST_DAY + timedelta(days=6)
REASON = "the week is complete"
SMALL = TrainingSettings.model_validate(
    {
        "train_days": 2,
        "valid_days": 1,
        "test_blocks": 2,
        "test_block_days": 1,
        "idle_share": 0.5,
        "max_iter": 2,
        "tune_lists": 100,
        "threads": 1,
        "xgboost": {
            "fix_params": {"negatives": 4},
            "tune_params": {"max_depth": [2, 3]},
            "fit_params": {"num_boost_round": 15, "early_stopping_rounds": 5},
        },
    }
)
EASY_GATE = GateSettings(confidence=0.51, resamples=100, min_lists=5, recall_tolerance=1.0, segment_floor=1.0)


def in_context(step: Callable[[Context, str], R]) -> Callable[[Settings, str], R]:
    """The step as a task does it, with a context of its own."""

    def task(settings: Settings, run_id: str) -> R:
        with open_context(settings) as context:
            return step(context, run_id)

    return task


STEPS: dict[str, Callable[[Settings, str], Any]] = {
    "build": in_context(fitting.build_training_set),
    "tune": in_context(fitting.tune_ranker),
    "train": in_context(fitting.train_ranker),
    "measure": in_context(evaluation.evaluate_model),
    "compare": in_context(evaluation.compare_with_champion),
    "gate": in_context(evaluation.apply_gate),
    "register": in_context(registration.register_challenger),
}
"""The steps after the plan, in their order, by name."""
record_rejection = in_context(registration.record_rejection)
reproduce = in_context(reproduction.reproduce)


def open_record(settings: Settings, run_id: str) -> TrainingRecord:
    """The record of a training."""
    return record.open_record(Registry(settings.mlflow), Lake(settings.lake_root), run_id)


FIGURES = (
    *(record.LEAKS, record.CURVE, record.IMPORTANCE, record.EVALUATION, record.RELIABILITY, record.CHAMPION),
    *(record.COMPARISON, record.GATE),
)
TEXTS = (record.REPORT, record.SUMMARY, record.CARD)
FILES = (record.SCORED, record.COMPARED, record.REFERENCE)


@dataclass(frozen=True)
class Told:
    """What a training left: all that a person or a later step may read of it, without what the clock said."""

    run_id: str
    settings: Settings
    facts: tuple[tuple[str, str], ...] = ()
    """What was told of it under way, by step."""

    @property
    def left(self) -> dict[str, Any]:
        """What must be the same each time."""
        run = open_record(self.settings, self.run_id).run
        data, tuning, inputs = (run.get_json(name) for name in (record.DATA, record.TUNING, record.INPUTS))
        return {
            **{name: run.get_json(name) for name in FIGURES},
            **{name: self._text(run, name) for name in TEXTS},
            **{name: self._digest(run, name) for name in FILES},
            "inputs": [{**table, "version": 0} for table in inputs["tables"]],
            "metrics": run.metrics,
            "data": (data["digest"], data["days"], data["counts"]),
            "params": tuning["params"],
            "trials": [{**trial, "seconds": 0} for trial in tuning["trials"]],
            "recorded trials": self.trials,
            "model": run.tags["rankloop.model_digest"],
            "outcome": run.tags["rankloop.outcome"],
            "versions": len(self.versions),
            "status": run.status,
        }

    def _text(self, run: TrainingRun, name: str) -> str:
        """A text without what no two trainings have in common: the run, and the versions of their own tables."""
        text = run.get_text(name).replace(self.run_id, "RUN").replace(self.run_id[:8], "RUN")
        return re.sub(r"(training/\w+`? v)\d+", r"\1", text)

    @staticmethod
    def _digest(run: TrainingRun, name: str) -> str:
        with TemporaryDirectory() as folder:
            return sha256(run.get_file(name, Path(folder) / "file").read_bytes()).hexdigest()

    @property
    def trials(self) -> list[dict[str, str]]:
        """The parameters of its nested runs."""
        run = open_record(self.settings, self.run_id).run
        found = run.client.search_runs([run.experiment_id], f"tags.`mlflow.parentRunId` = '{run.run_id}'")
        return sorted((dict(nested.data.params) for nested in found), key=str)

    @property
    def versions(self) -> list[int]:
        """The numbers of the versions that were registered of it."""
        client = MlflowClient(self.settings.mlflow, self.settings.mlflow)
        found = client.search_model_versions(f"name = '{MODEL}'")
        return sorted(int(version.version) for version in found if version.run_id == self.run_id)


def plan(settings: Settings, key: str, as_of: date = AS_OF, reason: str = REASON, **more: Any) -> str:  # noqa: ANN401
    """The run of the training with this key."""
    with open_context(settings) as context:
        return fitting.plan_training(context, key, as_of, reason, **more)


def begun(settings: Settings, key: str, until: str = "build") -> str:
    """The run of a training whose steps before this one are done."""
    run_id = plan(settings, key)
    for name, step in STEPS.items():
        if name == until:
            break
        step(settings, run_id)
    return run_id


@contextmanager
def champion_is(settings: Settings, number: int) -> Iterator[None]:
    """Within it, this version is the champion."""
    client = MlflowClient(settings.mlflow, settings.mlflow)
    client.set_registered_model_alias(MODEL, CHAMPION, str(number))
    try:
        yield
    finally:
        client.delete_registered_model_alias(MODEL, CHAMPION)


def carried_out(settings: Settings, key: str) -> Told:
    """A training of all steps."""
    facts: list[tuple[str, str]] = []
    with open_context(settings) as context:
        run_id = run_training(context, key, AS_OF, REASON, lambda *fact: facts.append(fact))
    return Told(run_id, settings, tuple(facts))
