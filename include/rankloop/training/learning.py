"""From the windows to a model: the first four steps of a training."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.ranking.calibration import fit_calibration
from rankloop.ranking.fitting import check_leaks, fit_model, learn_preprocessing, tune_params
from rankloop.ranking.lists import Prepared, prepare_day, reads
from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import Preprocessing
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.tuning import Params, Trial, as_params
from rankloop.ranking.windows import VALID, TooLittleHistoryError, plan_windows, require_days, since_change
from rankloop.registry import evidence
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import put_model
from rankloop.registry.tracking import TrainingRun, open_training
from rankloop.registry.trials import RunTrials
from rankloop.settings import Settings
from rankloop.settings.training import TrainingSettings
from rankloop.training import record
from rankloop.training.record import open_record
from rankloop.training.scoring import EXAMPLE_ROWS
from rankloop.training.step import step

__all__ = ["TooLittleHistoryError", "build", "plan", "train", "tune"]

OnDay = Callable[[Prepared], None]
OnTrial = Callable[[Trial], None]


def plan(  # noqa: PLR0913  (what a training is asked for with)
    settings: Settings,
    key: str,
    as_of: date,
    reason: str,
    *,
    drift: bool = False,
    since: date | None = None,
    trials: int | None = None,
) -> str:
    """Begin the training with this key, or find it again; gives the id of its run.

    Where drift asks, it may say since when: the training then learns from what came after. `trials` is how many sets of
    parameters are tried, where not as many as the settings have it. Refuses where history is too short, or where a day
    within the windows is missing.
    """
    training = since_change(settings.training, as_of, since) if since else settings.training
    if trials is not None:
        training = TrainingSettings.model_validate({**training.model_dump(), "max_iter": trials})
    settings = settings.model_copy(update={"training": training})
    require_days(settings, plan_windows(settings.training, as_of))
    run = open_training(Registry(settings.mlflow), key, as_of, reason)
    if not run.has(record.SETTINGS):
        asked = {"as_of": as_of, "reason": reason, "drift": drift, "since": since}
        run.put_json(record.SETTINGS, {**asked, "training": settings.training, "gate": settings.gate})
    _note_evidence(settings, run)
    options = open_record(settings, run.run_id).options
    run.log_params({"training": options.model_dump(mode="json", exclude={"xgboost", "neural", "logistic"})})
    run.log_params({options.ranker: options.params(options.ranker).model_dump(mode="json")})
    return run.run_id


@step
def build(settings: Settings, run_id: str, on_day: OnDay = lambda _: None) -> dict[str, Any]:
    """Make the training set: the lists of every day with their features and labels, in the versions of this moment."""
    training = open_record(settings, run_id)
    for day in training.windows.days:
        on_day(prepare_day(training.begun_with, day))
    data = open_training_set(settings, training.windows)
    training.run.put_json(record.INPUTS, _inputs(training.begun_with, data))
    training.run.put_json(record.DATA, data.summary())
    training.run.tag(data=data.digest, data_versions=data.versions)
    counts = {name: data.counts(name) for name in training.windows.sets}
    training.run.log_metrics({f"{name}.{what}": n for name, found in counts.items() for what, n in found.items()})
    return {"digest": data.digest, "versions": dict(data.versions), "counts": counts}


@step
def tune(settings: Settings, run_id: str, on_trial: OnTrial = lambda _: None) -> dict[str, Any]:
    """Check for leaks, learn the preprocessing, and find the parameters; trials that are done are not done again."""
    training = open_record(settings, run_id)
    training.run.put_json(record.LEAKS, check_leaks(training.options, training.data))
    preprocessing = learn_preprocessing(training.options, training.data)
    with TemporaryDirectory() as folder:
        preprocessing.save(Path(folder))
        training.run.put_folder(record.PREPROCESSING, Path(folder))
    digest = training.data.digest
    trials = RunTrials(training.run, digest, lambda read: Trial(**{**read, "params": as_params(read["params"])}))
    tuned = tune_params(training.options, training.data, preprocessing, trials, on_trial)
    tried = [asdict(trial) for trial in tuned.trials]
    training.run.put_json(record.TUNING, {"data": digest, "params": tuned.params, "trials": tried})
    return {"params": tuned.params, "trials": len(tuned.trials), "features": len(preprocessing.features)}


@step
def train(settings: Settings, run_id: str) -> dict[str, Any]:
    """Fit the model with the parameters that were found, and keep it with the run."""
    training = open_record(settings, run_id)
    # Whatever code planned it, this is the code whose model it is.
    _note_evidence(settings, training.run)
    found = training.run.get_json(record.TUNING)
    training.refuse_other_data("parameters", found["data"])
    params = as_params(found["params"])
    with TemporaryDirectory() as folder:
        model = fit_into(Path(folder), training.options, training.data, training.preprocessing(), params)
        digest = put_model(training.run, Path(folder), _example(training.data, model))
    curve = model.ranker.curve
    training.run.put_json(record.CURVE, asdict(curve))
    training.run.log_curve(f"valid.{curve.metric}", curve.valid)
    training.run.put_json(record.IMPORTANCE, model.importance())
    training.run.log_metrics({"rounds": curve.best_round + 1, "features": len(model.features)})
    training.run.tag(**{record.TRAINED_ON: training.data.digest})
    return {"model": digest, "rounds": curve.best_round + 1, curve.metric: curve.valid[curve.best_round]}


def fit_into(
    folder: Path, options: TrainingSettings, data: TrainingSet, preprocessing: Preprocessing, params: Params
) -> Model:
    """Fit a model, and write all that a model's folder holds: the same bytes each time."""
    model = fit_model(options, data, preprocessing, params)
    model.save(folder)
    (folder / record.CALIBRATION).write_text(_calibrated(model, data), encoding="utf-8")
    return model


def _note_evidence(settings: Settings, run: TrainingRun) -> None:
    code, environment = evidence.code(settings.git_commit), evidence.environment()
    run.put_json(record.CODE, code)
    run.put_json(record.ENVIRONMENT, environment)
    run.tag(code=code.commit or code.digest, environment=environment.digest, lock=environment.lock_digest or "unknown")


def _inputs(settings: Settings, data: TrainingSet) -> dict[str, Any]:
    """What the lists were made from: by table its version, and the digests of the days of it that were read."""
    wanted: dict[str, set[date]] = {}
    for day in data.windows.days:
        for table, days in reads(settings, day).items():
            wanted.setdefault(table, set()).update(days)
    lake = data.lake
    there = {table: days & set(lake.days(table)) for table, days in wanted.items() if lake.has(table)}
    return {
        "tables": [evidence.table_version(lake, table, days) for table, days in there.items()],
        "features": settings.features,
    }


def _calibrated(model: Model, data: TrainingSet) -> str:
    """Scores as probabilities of a click, learned on the validation days."""
    columns = ["label", "weight", *model.features]
    found = [
        (model.score(batch), batch["label"].to_numpy(), batch["weight"].to_numpy())
        for _, batch in data.batches(VALID, columns)
    ]
    score, label, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return fit_calibration(score, label > 0, weight).to_json()


def _example(data: TrainingSet, model: Model) -> pa.RecordBatch:
    _, batch = next(data.batches(VALID, model.features))
    return batch.slice(0, EXAMPLE_ROWS).select(list(model.features))
