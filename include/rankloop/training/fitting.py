"""Plans a training, builds its training set, tunes the ranker and fits the model."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.context import Context
from rankloop.features.joining.store import FeatureStore
from rankloop.features.partitions import require_one_definition
from rankloop.ranking.calibration import fit_calibration
from rankloop.ranking.fitting import check_leaks, fit_model, learn_preprocessing, tune_params
from rankloop.ranking.lists import LISTS, PreparedLists, input_partitions, prepare_lists
from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import Preprocessing
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.tuning import Params, Trial, as_params
from rankloop.ranking.windows import VALID, TooLittleHistoryError, plan_windows, require_days, since_change
from rankloop.registry import evidence
from rankloop.registry.pyfunc import put_model
from rankloop.registry.tracking import TrainingRun, open_training
from rankloop.registry.trials import RunTrials
from rankloop.settings.training import TrainingSettings
from rankloop.training import record
from rankloop.training.record import open_record
from rankloop.training.scoring import EXAMPLE_ROWS
from rankloop.training.step import training_step

__all__ = ["TooLittleHistoryError", "build_training_set", "plan_training", "train_ranker", "tune_ranker"]

OnDay = Callable[[PreparedLists], None]
OnTrial = Callable[[Trial], None]


def plan_training(  # noqa: PLR0913  (all that a training can be requested with)
    context: Context,
    key: str,
    as_of: date,
    reason: str,
    *,
    drift: bool = False,
    since: date | None = None,
    trials: int | None = None,
) -> str:
    """Start the training with this key, or find it again, and return its run's id.

    A training that drift triggered may say since when: it then learns from lists after the change only. `trials` is how
    many sets of parameters are tried, in place of what the settings say. Raises an error where history is too short, or
    where a day within the windows is missing.
    """
    settings = context.settings
    training = since_change(settings.training, as_of, since) if since else settings.training
    if trials is not None:
        training = TrainingSettings.model_validate({**training.model_dump(), "max_iter": trials})
    require_days(context.lake, training, plan_windows(training, as_of))
    run = open_training(context.registry, key, as_of, reason)
    if not run.has(record.SETTINGS):
        request = {"as_of": as_of, "reason": reason, "drift": drift, "since": since}
        run.put_json(record.SETTINGS, {**request, "training": training, "gate": settings.gate})
    _log_evidence(run, settings.git_commit)
    options = open_record(context.registry, context.lake, run.run_id).options
    run.log_params({"training": options.model_dump(mode="json", exclude={"xgboost", "neural", "logistic", "custom"})})
    run.log_params({options.ranker: options.params(options.ranker).model_dump(mode="json")})
    return run.run_id


@training_step
def build_training_set(context: Context, run_id: str, on_day: OnDay = lambda _: None) -> dict[str, Any]:
    """Build the training set: the lists of every day with their features and labels, in the present table versions."""
    training = open_record(context.registry, context.lake, run_id)
    store = context.feature_store
    for day in training.windows.days:
        on_day(prepare_lists(store, training.options, lambda: context.engine, day))
    features = store.catalogue.feature_names
    data = open_training_set(context.lake, training.windows, features=features)
    purpose = f"the training set as of {training.as_of}"
    require_one_definition(context.lake, store.settings, {LISTS: features}, training.windows.days, purpose)
    training.run.put_json(record.INPUTS, _inputs(store, training.options, data))
    training.run.put_json(record.DATA, data.summary())
    training.run.tag(data=data.digest, data_versions=data.versions)
    counts = {name: data.counts(name) for name in training.windows.sets}
    training.run.log_metrics({f"{name}.{what}": n for name, by_set in counts.items() for what, n in by_set.items()})
    return {"digest": data.digest, "versions": dict(data.versions), "counts": counts}


@training_step
def tune_ranker(context: Context, run_id: str, on_trial: OnTrial = lambda _: None) -> dict[str, Any]:
    """Check for leakage, fit the preprocessing, and search the parameters; finished trials are not run again."""
    training = open_record(context.registry, context.lake, run_id)
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


@training_step
def train_ranker(context: Context, run_id: str) -> dict[str, Any]:
    """Fit the model with the parameters that were found, and upload it to the run."""
    training = open_record(context.registry, context.lake, run_id)
    # The code that fits the model counts, whichever code planned the training.
    _log_evidence(training.run, context.settings.git_commit)
    tuned = training.run.get_json(record.TUNING)
    training.require_same_data("parameters", tuned["data"])
    params = as_params(tuned["params"])
    with TemporaryDirectory() as folder:
        model = fit_and_save(Path(folder), training.options, training.data, training.preprocessing(), params)
        digest = put_model(training.run, Path(folder), _example(training.data, model))
    curve = model.ranker.curve
    training.run.put_json(record.CURVE, asdict(curve))
    training.run.log_curve(f"valid.{curve.metric}", curve.valid)
    training.run.put_json(record.IMPORTANCE, model.importance())
    training.run.log_metrics({"rounds": curve.best_round + 1, "features": len(model.features)})
    training.run.tag(**{record.TRAINED_ON: training.data.digest})
    return {"model": digest, "rounds": curve.best_round + 1, curve.metric: curve.valid[curve.best_round]}


def fit_and_save(
    folder: Path, options: TrainingSettings, data: TrainingSet, preprocessing: Preprocessing, params: Params
) -> Model:
    """Fit a model and write its folder: the same bytes each time."""
    model = fit_model(options, data, preprocessing, params)
    model.save(folder)
    (folder / record.CALIBRATION).write_text(_calibrated(model, data), encoding="utf-8")
    return model


def _log_evidence(run: TrainingRun, git_commit: str | None) -> None:
    code, environment = evidence.code(git_commit), evidence.environment()
    run.put_json(record.CODE, code)
    run.put_json(record.ENVIRONMENT, environment)
    run.tag(code=code.commit or code.digest, environment=environment.digest, lock=environment.lock_digest or "unknown")


def _inputs(store: FeatureStore, training: TrainingSettings, data: TrainingSet) -> dict[str, Any]:
    """Return what the lists were built from: each table's version, and the digests of the partitions that were read."""
    wanted: dict[str, set[date]] = {}
    for day in data.windows.days:
        for table, days in input_partitions(store, training, day).items():
            wanted.setdefault(table, set()).update(days)
    lake = data.lake
    existing = {table: days & set(lake.days(table)) for table, days in wanted.items() if lake.has(table)}
    return {
        "tables": [evidence.table_version(lake, table, days) for table, days in existing.items()],
        "features": store.settings,
    }


def _calibrated(model: Model, data: TrainingSet) -> str:
    """Return the calibration of scores to click probabilities, fitted on the validation days."""
    columns = ["label", "weight", *model.features]
    scored = [
        (model.score(batch), batch["label"].to_numpy(), batch["weight"].to_numpy())
        for _, batch in data.batches(VALID, columns)
    ]
    score, label, weight = (np.concatenate(parts) for parts in zip(*scored, strict=True))
    return fit_calibration(score, label > 0, weight).to_json()


def _example(data: TrainingSet, model: Model) -> pa.RecordBatch:
    _, batch = next(data.batches(VALID, model.features))
    return batch.slice(0, EXAMPLE_ROWS).select(list(model.features))
