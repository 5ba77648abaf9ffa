"""Tuning goes on where it was killed, with each trial kept once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from mlflow import MlflowClient

from rankloop.registry.artifacts import Artifacts
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import TrainingRun, open_training
from rankloop.registry.trials import RunTrials
from rankloop.settings import Settings
from tests.registry.conftest import AS_OF
from tests.registry.cuts import cut

pytestmark = pytest.mark.stack


@dataclass(frozen=True)
class Tried:
    """A trial as tuning has it."""

    number: int
    params: Mapping[str, Any]
    figure: float
    rounds: int
    repeats: int | None = None


def made(entry: dict[str, Any]) -> Tried:
    params = {name: tuple(value) if isinstance(value, list) else value for name, value in entry["params"].items()}
    return Tried(**{**entry, "params": params})


TRIALS = [Tried(number, {"max_depth": 3 + number, "layers": (64, 32)}, 0.1 + number / 3, 40) for number in range(3)]


def runs_below(client: MlflowClient, run: TrainingRun) -> list[Any]:
    return list(client.search_runs([run.experiment_id], f"tags.mlflow.parentRunId = '{run.run_id}'"))


@pytest.fixture
def log(run: TrainingRun) -> RunTrials[Tried]:
    return RunTrials(run, "data 1", made)


def test_trials_come_back_as_they_were_in_the_order_of_the_search(log: RunTrials[Tried]) -> None:
    for trial in reversed(TRIALS):
        log.record(trial)
    assert list(log.finished()) == TRIALS


def test_a_training_without_tuning_has_no_trials(log: RunTrials[Tried]) -> None:
    assert list(log.finished()) == []


def test_the_trials_of_another_training_are_not_ours(settings: Settings, log: RunTrials[Tried], key: str) -> None:
    log.record(TRIALS[0])
    other = open_training(Registry(settings.mlflow), f"{key}_other", AS_OF, "weekly")
    assert list(RunTrials(other, "data 1", made).finished()) == []


def test_a_trial_is_a_nested_run_that_a_person_can_compare(
    run: TrainingRun, log: RunTrials[Tried], client: MlflowClient
) -> None:
    log.record(TRIALS[1])
    (nested,) = runs_below(client, run)
    assert nested.data.params == {"max_depth": "4", "layers": "[64, 32]"}
    assert nested.data.metrics == {"figure": TRIALS[1].figure, "rounds": 40.0}
    assert (nested.info.run_name, nested.info.status) == ("trial 1", "FINISHED")


CUTS = [
    (owner, method, when)
    for owner, method in (
        (MlflowClient, "create_run"),
        (MlflowClient, "log_batch"),
        (Artifacts, "put_text"),
        (MlflowClient, "set_terminated"),
    )
    for when in ("before", "after")
]


@pytest.mark.parametrize(("owner", "method", "when"), CUTS)
def test_a_trial_killed_while_it_was_recorded_is_there_once_after_the_next_try(
    run: TrainingRun, log: RunTrials[Tried], owner: type, method: str, when: Literal["before", "after"]
) -> None:
    log.record(TRIALS[0])
    with cut(owner, method, when):
        log.record(TRIALS[1])
    whole = (method, when) == ("set_terminated", "after")
    assert list(log.finished()) == TRIALS[: 2 if whole else 1]
    log.record(TRIALS[1])
    assert list(log.finished()) == TRIALS[:2]
    assert len(runs_below(run.client, run)) == 2


def test_a_trial_that_came_to_something_else_replaces_the_former(
    run: TrainingRun, log: RunTrials[Tried], client: MlflowClient
) -> None:
    log.record(TRIALS[0])
    log.record(replace(TRIALS[0], figure=0.9))
    assert [trial.figure for trial in log.finished()] == [0.9]
    assert len(runs_below(client, run)) == 1


def test_trials_on_other_data_do_not_count_and_give_way(
    run: TrainingRun, log: RunTrials[Tried], client: MlflowClient
) -> None:
    log.record(TRIALS[0])
    log.record(TRIALS[1])
    later = RunTrials(run, "data 2", made)
    assert list(later.finished()) == []
    later.record(TRIALS[0])
    assert list(later.finished()) == TRIALS[:1]
    assert [int(nested.data.tags["rankloop.trial"]) for nested in runs_below(client, run)].count(0) == 1


def test_a_nested_run_of_another_kind_is_no_trial(
    run: TrainingRun, log: RunTrials[Tried], client: MlflowClient
) -> None:
    client.create_run(run.experiment_id, tags={"mlflow.parentRunId": run.run_id})
    assert list(log.finished()) == []
