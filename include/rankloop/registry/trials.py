"""The trials of tuning as nested runs, so that tuning resumes where it was killed and a person can compare them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from mlflow.entities import Run
from pydantic_core import to_jsonable_python

from rankloop.registry.artifacts import canonical_json
from rankloop.registry.connection import speaking_to
from rankloop.registry.tracking import PARENT, TrainingRun

NUMBER, DATA = "rankloop.trial", "rankloop.data"
FILE = "trial.json"
OF_NO_COMPARISON = frozenset({"number", "params"})


class Numbered(Protocol):
    """What a trial is here: a dataclass with a number, values by name, and whatever else it came to."""

    @property
    def number(self) -> int:
        """From 0, in the order of the search."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """The values that were tried."""
        ...


TrialT = TypeVar("TrialT", bound=Numbered)


class RunTrials(Generic[TrialT]):
    """The log of one training's trials on the data with this digest; those on other data say nothing of it.

    `make` makes a trial of the JSON that one was written as.
    """

    def __init__(self, run: TrainingRun, data: str, make: Callable[[dict[str, Any]], TrialT]) -> None:
        self.run = run
        self.data = data
        self.make = make

    def finished(self) -> Sequence[TrialT]:
        """Return the trials that were recorded completely, in the order of the search."""
        return tuple(self.make(self._opened(run).get_json(FILE)) for run in self._runs() if self._counts(run))

    def record(self, trial: TrialT) -> None:
        """Keep a trial, in the place of whatever was kept under its number, whole or not."""
        content = canonical_json(FILE, trial)
        for earlier in self._runs(trial.number):
            if self._counts(earlier) and self._opened(earlier).get_text(FILE) == content:
                return
            with speaking_to(self.run.uri, f"removing an unfinished trial of {self.run.owner}"):
                self.run.client.delete_run(earlier.info.run_id)
        nested = self._opened(self._begun(trial.number))
        nested.log_params(trial.params)
        nested.log_metrics(_figures(to_jsonable_python(trial)))
        nested.put_text(FILE, content)
        nested.finish()  # only now does it count

    def _begun(self, number: int) -> Run:
        tags = {PARENT: self.run.run_id, NUMBER: str(number), DATA: self.data}
        with speaking_to(self.run.uri, f"recording trial {number} of {self.run.owner}"):
            return self.run.client.create_run(self.run.experiment_id, run_name=f"trial {number}", tags=tags)

    def _runs(self, number: int | None = None) -> list[Run]:
        client, runs, token = self.run.client, [], None
        only = "" if number is None else f" AND tags.`{NUMBER}` = '{number}'"
        with speaking_to(self.run.uri, f"reading the trials of {self.run.owner}"):
            while True:
                page = client.search_runs(
                    [self.run.experiment_id], f"tags.`{PARENT}` = '{self.run.run_id}'{only}", page_token=token
                )
                runs += [run for run in page if NUMBER in run.data.tags]
                if not (token := page.token):
                    return sorted(runs, key=lambda run: int(run.data.tags[NUMBER]))

    def _counts(self, run: Run) -> bool:
        return run.info.status == "FINISHED" and run.data.tags.get(DATA) == self.data

    def _opened(self, run: Run) -> TrainingRun:
        return TrainingRun(self.run.client, self.run.uri, run)


def _figures(trial: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in trial.items()
        if name not in OF_NO_COMPARISON and isinstance(value, int | float) and not isinstance(value, bool)
    }
