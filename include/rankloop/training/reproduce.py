"""Trains a model again from its run alone, and compares the two models and their environments."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from rankloop.context import Context
from rankloop.errors import RankloopError
from rankloop.lake.tables import LakeError
from rankloop.ranking.fitting import learn_preprocessing
from rankloop.ranking.lists import COUNTS, LISTS
from rankloop.ranking.model import load_model
from rankloop.ranking.scored import OURS
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.tuning import as_params
from rankloop.ranking.windows import DaysMissingError
from rankloop.registry import evidence
from rankloop.registry.pyfunc import model_digest
from rankloop.settings import variable
from rankloop.settings.training import TrainingSettings
from rankloop.training import record
from rankloop.training.fitting import fit_and_save
from rankloop.training.record import TrainingRecord, open_record
from rankloop.training.scoring import model_scores


class ReproductionError(RankloopError):
    """A training that cannot be repeated because the rows that it read are gone."""


@dataclass(frozen=True)
class EnvironmentDifference:
    """Something that differs between the run's environment and the present one."""

    what: str
    then: str
    now: str


@dataclass(frozen=True)
class ReproductionResult:
    """The result of training again."""

    run_id: str
    data: str
    """The digest of the training set, computed from its rows; the same as the run recorded."""
    model_then: str
    model_now: str
    rows: int
    """How many rows of test lists were scored again: all of them."""
    changed_rows: int
    """How many of them have a score that differs in any bit."""
    largest_change: float
    differences: tuple[EnvironmentDifference, ...]
    """What differs in code, environment, data versions and settings."""

    @property
    def same(self) -> bool:
        """Return whether the model has the same bytes and the same scores."""
        return self.model_then == self.model_now and not self.changed_rows

    def summary(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {**asdict(self), "same": self.same}


def reproduce(context: Context, run_id: str) -> ReproductionResult:
    """Train again on the rows that a run read, by the run's own settings, and compare the models.

    Raises an error if the rows are gone or were changed.
    """
    training = open_record(context.registry, context.lake, run_id)
    training.require_same_model(record.MEASURED)
    data = _same_rows(training)
    then = training.run.tags.get("rankloop.model_digest", "")
    scored_then = training.scored().of_sets(*training.tests).score(OURS)
    with TemporaryDirectory() as name:
        folder = Path(name)
        preprocessing = learn_preprocessing(training.options, data)
        params = as_params(training.run.get_json(record.TUNING)["params"])
        fit_and_save(folder, training.options, data, preprocessing, params)
        scored_now = model_scores(load_model(folder), data, training.tests)
        now = model_digest(folder)
    settings = context.settings
    # The rows have the same digest, so there are as many.
    change = np.abs(scored_now - scored_then)
    return ReproductionResult(
        run_id=run_id,
        data=data.digest,
        model_then=then,
        model_now=now,
        rows=len(scored_now),
        changed_rows=int(np.count_nonzero(scored_now != scored_then)),
        largest_change=float(change.max(initial=0.0)),
        differences=tuple(_differences(training, data, settings.training, settings.git_commit)),
    )


def _same_rows(training: TrainingRecord) -> TrainingSet:
    """Return the training set in the run's table versions, with digests computed from its files."""
    recorded = training.run.get_json(record.DATA)
    windows, versions = training.windows, recorded["versions"]
    try:
        data = open_training_set(training.lake, windows, versions, features=recorded["features"])
        digests = {day: data.lake.digest(LISTS, day, versions[LISTS]) for day in windows.days}
        counts = {name: data.counts(name) for name in windows.sets}
    except (FileNotFoundError, LakeError, DaysMissingError) as error:
        raise ReproductionError(
            f"{_owner(training)} cannot be trained again: its rows, {_named(versions)} of the lake "
            f"{training.lake.root}, are gone. They were removed by lake_maintenance, or this is another lake "
            f"({str(error).splitlines()[0].rstrip('.')}). Bring the files back from a backup, or set "
            f"{variable('lake')} to the lake that the run read."
        ) from error
    data = replace(data, digests=digests)
    wrong = [str(day) for day, digest in digests.items() if digest != recorded["days"].get(str(day))]
    wrong += [f"{COUNTS} of {name}" for name in counts if counts[name] != recorded["counts"].get(name)]
    if wrong or data.digest != recorded["digest"]:
        raise ReproductionError(
            f"{_owner(training)} cannot be trained again: the files of {_named(versions)} hold other rows than the "
            f"run read ({', '.join(wrong) or data.digest}). They were changed in "
            f"place, or this is another lake: bring them back from a backup, or set {variable('lake')} to the lake "
            "that the run read."
        )
    return data


def _owner(training: TrainingRecord) -> str:
    return f"run {training.run.run_id}, as of {training.as_of},"


def _named(versions: Mapping[str, int]) -> str:
    return " and ".join(f"version {number} of {table}" for table, number in versions.items())


def _differences(
    training: TrainingRecord, data: TrainingSet, configured: TrainingSettings, git_commit: str | None
) -> Iterator[EnvironmentDifference]:
    then, now = training.run.get_json(record.CODE), asdict(evidence.code(git_commit))
    if then["digest"] != now["digest"]:
        yield EnvironmentDifference("code", _code(then), _code(now))
    yield from _environment(training)
    for table, version in data.versions.items():
        if (newest := data.lake.version(table)) != version:
            yield EnvironmentDifference(f"version of {table}", str(version), f"{newest}, which is not read")
    planned = training.plan["training"]
    for name, value in configured.model_dump(mode="json").items():
        if planned.get(name) != value:
            then_value = str(planned.get(name))
            yield EnvironmentDifference(f"setting training.{name}", then_value, f"{value}, which is not used")


def _environment(training: TrainingRecord) -> Iterator[EnvironmentDifference]:
    then, now = training.run.get_json(record.ENVIRONMENT), evidence.environment()
    for name in ("python", "platform"):
        if then[name] != getattr(now, name):
            yield EnvironmentDifference(name, then[name], getattr(now, name))
    before, after = (
        dict(entry.split("==", 1) for entry in packages) for packages in (then["distributions"], now.distributions)
    )
    for name in sorted({**before, **after}):
        if before.get(name) != after.get(name):
            yield EnvironmentDifference(f"package {name}", before.get(name, "not there"), after.get(name, "not there"))


def _code(code: dict[str, Any]) -> str:
    commit = code["commit"][:12] if code["commit"] else "no commit"
    return f"{commit}{' with changes' if code['changed'] else ''}, files {code['digest'][:12]}"
