"""A step that is killed, wherever it stands, and done again leaves what one leaves that was never killed."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from rankloop.settings import Settings
from rankloop.settings.gate import GateSettings
from rankloop.training.registration import training_outcome
from tests.killing import Point, forks, mine
from tests.training.steps import SMALL, STEPS, Told, begun, open_record, plan, record_rejection

pytestmark = pytest.mark.stack

UPLOAD, FOLDER = "rankloop.registry.artifacts:Artifacts._upload", "rankloop.registry.artifacts:Artifacts.put_folder"
COMMIT, ROUND = "rankloop.lake.tables:Lake._commit", "xgboost:Booster.update"
FINISH = "rankloop.registry.tracking:TrainingRun.finish"
POINTS = {
    "plan": (Point("mlflow:MlflowClient.create_run", 1, after=True), Point(UPLOAD, 1), Point(UPLOAD, 2, after=True)),
    "build": (Point(COMMIT, 3, after=True), Point("rankloop.lake.tables:write_partition_file", 5), Point(UPLOAD, 1)),
    "tune": (
        Point(ROUND, 4),
        Point(FINISH, 1),
        Point("rankloop.registry.trials:RunTrials.record", 2),
        Point(UPLOAD, 3, after=True),
    ),
    "train": (
        Point(ROUND, 3),
        Point(FOLDER, 1, after=True),
        Point("rankloop.registry.tracking:TrainingRun.log_curve", 1),
    ),
    "measure": (Point("rankloop.training.evaluation:score_sets", 1), Point(UPLOAD, 3, after=True)),
    "compare": (Point(UPLOAD, 1, after=True), Point(UPLOAD, 2)),
    "gate": (Point(UPLOAD, 2), Point(UPLOAD, 4, after=True)),
    "register": (
        Point("mlflow:MlflowClient.create_model_version", 1, after=True),
        Point("mlflow:MlflowClient.set_registered_model_alias", 1),
        Point(FINISH, 1),
    ),
}
REJECTING = (Point("rankloop.registry.tracking:TrainingRun.tag", 1, after=True), Point(FINISH, 1))
CASES = [(step, number) for step, points in POINTS.items() for number in range(len(points))]


@dataclass(frozen=True)
class Killed:
    """A training whose every step was killed at each of its points, and then done once more."""

    told: Told
    exits: Mapping[str, list[int | None]]


@pytest.fixture(scope="module")
def killed(killed_shop: Settings) -> Killed:
    """The training that was killed so often."""
    key, exits = "often killed", {}
    exits["plan"] = [death(killed_shop, "plan", key, point) for point in POINTS["plan"]]
    run_id = plan(killed_shop, key)
    for name, step in STEPS.items():
        exits[name] = [death(killed_shop, name, run_id, point) for point in POINTS[name]]
        step(killed_shop, run_id)
    return Killed(Told(run_id, killed_shop), exits)


def death(shop: Settings, step: str, about: str, point: Point) -> int | None:
    """How a process ends that does the step and is killed at the point."""
    victim = forks.Process(target=do, args=(shop, step, about, point))
    victim.start()
    victim.join(timeout=120)
    victim.kill()
    victim.join(timeout=20)
    return victim.exitcode


def do(shop: Settings, step: str, about: str, point: Point) -> None:
    """Do a step of the training with this run, or plan the one with this key, and die at the point."""
    mine(point)
    steps = {"plan": plan, "record_rejection": record_rejection, **STEPS}
    steps[step](shop, about)


@pytest.mark.parametrize(("step", "number"), CASES, ids=[f"{step}-{number}" for step, number in CASES])
def test_a_step_is_really_killed_where_it_stands(killed: Killed, step: str, number: int) -> None:
    assert killed.exits[step][number] == -9


def test_steps_killed_and_done_again_leave_what_undisturbed_ones_leave(killed: Killed, clean: Told) -> None:
    assert killed.told.left == clean.left


def test_a_training_killed_while_it_registered_has_one_version(killed: Killed) -> None:
    assert len(killed.told.versions) == 1


def test_a_rejection_killed_anywhere_is_noted_in_the_end(killed_shop: Settings) -> None:
    settings = killed_shop.model_copy(update={"gate": GateSettings(min_lists=10**6, resamples=100)})
    run_id = begun(settings, "rejected and killed", until="register")
    exits = [death(settings, "record_rejection", run_id, point) for point in REJECTING]
    reasons = record_rejection(settings, run_id)
    told = Told(run_id, settings)
    assert exits == [-9] * len(REJECTING)
    run = open_record(settings, run_id).run
    assert (run.status, told.versions) == ("FINISHED", [])
    found = training_outcome(open_record(settings, run_id).run)
    assert (found["outcome"], found["rejected_because"]) == ("rejected", reasons)


def test_minutes_that_were_spent_before_a_kill_stay_spent(killed_shop: Settings) -> None:
    settings = killed_shop.model_copy(update={"training": SMALL.model_copy(update={"minutes": 1e-9})})
    run_id = begun(settings, "no time for a second trial", until="tune")
    assert death(settings, "tune", run_id, Point("rankloop.registry.trials:RunTrials.record", 1, after=True)) == -9
    assert STEPS["tune"](settings, run_id)["trials"] == 1
    assert len(Told(run_id, settings).trials) == 1
