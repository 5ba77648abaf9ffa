"""Trains a model again from its run alone, and says whether it is the same and what around it is another."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

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
from rankloop.settings import Settings, variable
from rankloop.training import record
from rankloop.training.learning import fit_into
from rankloop.training.record import Training, open_record
from rankloop.training.scoring import scores


class ReproductionError(RankloopError):
    """A training that cannot be done again, because what it read is not there any more."""


@dataclass(frozen=True)
class Difference:
    """Something that is another now than when the run was made."""

    what: str
    then: str
    now: str


@dataclass(frozen=True)
class Reproduced:
    """What training again came to."""

    run_id: str
    data: str
    """The digest of the training set, worked out from its rows; that which the run noted."""
    model_then: str
    model_now: str
    rows: int
    """Rows of the test lists, all of which were scored again."""
    changed_rows: int
    """How many of them have another score, in any bit."""
    largest_change: float
    differences: tuple[Difference, ...]
    """What is another around it; whether that matters, the model says."""

    @property
    def same(self) -> bool:
        """Whether it is the same model, byte for byte, with the same scores."""
        return self.model_then == self.model_now and not self.changed_rows

    def summary(self) -> dict[str, Any]:
        """The facts as JSON has them."""
        return {**asdict(self), "same": self.same}


def reproduce(settings: Settings, run_id: str) -> Reproduced:
    """Read the rows that a run read, learn from them what it learned, by its settings, and compare the models.

    Of `settings`, only where the lake and MLflow are is used. Refuses where the rows are gone or others.
    """
    training = open_record(settings, run_id)
    training.refuse_other_model(record.MEASURED)
    data = _same_rows(training)
    then = training.run.tags.get("rankloop.model_digest", "")
    noted = training.scored().of_sets(*training.tests).score(OURS)
    with TemporaryDirectory() as name:
        folder = Path(name)
        preprocessing = learn_preprocessing(training.options, data)
        params = as_params(training.run.get_json(record.TUNING)["params"])
        fit_into(folder, training.options, data, preprocessing, params)
        found = scores(load_model(folder), data, training.tests)
        now = model_digest(folder)
    # In one stroke with the digest of the rows, so there are as many.
    change = np.abs(found - noted)
    return Reproduced(
        run_id=run_id,
        data=data.digest,
        model_then=then,
        model_now=now,
        rows=len(found),
        changed_rows=int(np.count_nonzero(found != noted)),
        largest_change=float(change.max(initial=0.0)),
        differences=tuple(_differences(training, data)),
    )


def _same_rows(training: Training) -> TrainingSet:
    """The training set of the versions that the run noted, its digests worked out from the files."""
    noted = training.run.get_json(record.DATA)
    windows, versions = training.windows, noted["versions"]
    try:
        data = open_training_set(training.settings, windows, versions, features=noted["features"])
        digests = {day: data.lake.digest(LISTS, day, versions[LISTS]) for day in windows.days}
        counts = {name: data.counts(name) for name in windows.sets}
    except (FileNotFoundError, LakeError, DaysMissingError) as error:
        raise ReproductionError(
            f"{_owner(training)} cannot be trained again: its rows, {_named(versions)} of the lake "
            f"{training.settings.lake_root}, are gone. They were removed by tidying, or this is another lake "
            f"({str(error).splitlines()[0].rstrip('.')}). Bring the files back from a backup, or set "
            f"{variable('lake')} to the lake that the run read."
        ) from error
    data = replace(data, digests=digests)
    wrong = [str(day) for day, digest in digests.items() if digest != noted["days"].get(str(day))]
    wrong += [f"{COUNTS} of {name}" for name in counts if counts[name] != noted["counts"].get(name)]
    if wrong or data.digest != noted["digest"]:
        raise ReproductionError(
            f"{_owner(training)} cannot be trained again: the files of {_named(versions)} hold other rows than the "
            f"run read ({', '.join(wrong) or data.digest}). They were changed in "
            f"place, or this is another lake: bring them back from a backup, or set {variable('lake')} to the lake "
            "that the run read."
        )
    return data


def _owner(training: Training) -> str:
    return f"run {training.run.run_id}, as of {training.as_of},"


def _named(versions: Mapping[str, int]) -> str:
    return " and ".join(f"version {number} of {table}" for table, number in versions.items())


def _differences(training: Training, data: TrainingSet) -> Iterator[Difference]:
    then, now = training.run.get_json(record.CODE), asdict(evidence.code(training.settings.git_commit))
    if then["digest"] != now["digest"]:
        yield Difference("code", _code(then), _code(now))
    yield from _environment(training)
    for table, version in data.versions.items():
        if (newest := data.lake.version(table)) != version:
            yield Difference(f"version of {table}", str(version), f"{newest}, which is not read")
    asked = training.noted["training"]
    for name, value in training.settings.training.model_dump(mode="json").items():
        if asked.get(name) != value:
            yield Difference(f"setting training.{name}", str(asked.get(name)), f"{value}, which is not used")


def _environment(training: Training) -> Iterator[Difference]:
    then, now = training.run.get_json(record.ENVIRONMENT), evidence.environment()
    for name in ("python", "platform"):
        if then[name] != getattr(now, name):
            yield Difference(name, then[name], getattr(now, name))
    before, after = (
        dict(entry.split("==", 1) for entry in found) for found in (then["distributions"], now.distributions)
    )
    for name in sorted({**before, **after}):
        if before.get(name) != after.get(name):
            yield Difference(f"package {name}", before.get(name, "not there"), after.get(name, "not there"))


def _code(code: dict[str, Any]) -> str:
    commit = code["commit"][:12] if code["commit"] else "no commit"
    return f"{commit}{' with changes' if code['changed'] else ''}, files {code['digest'][:12]}"
