"""Steps cleared after the world moved on: each does what it did, or refuses what it cannot stand for any more."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from mlflow import MlflowClient

from rankloop.contracts.lake import EVENT_SCHEMAS, REACTIONS
from rankloop.ranking.gate import GateResult
from rankloop.ranking.training_set import TrainingSet
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.versions import MODEL
from rankloop.settings import Settings
from rankloop.training import record
from rankloop.training.evaluation import ComparisonError
from rankloop.training.record import StaleError, TrainingRecord
from tests.building import lake_of
from tests.training.steps import (
    AS_OF,
    STEPS,
    Told,
    begun,
    carried_out,
    champion_is,
    open_record,
    record_rejection,
    reproduce,
)

pytestmark = pytest.mark.stack
AFTER_TRAINING = ("measure", "compare", "gate", "register")


@pytest.fixture(scope="module")
def told(shop: Settings) -> Told:
    """A whole training of these tests' own."""
    return carried_out(shop, "to be cleared")


def test_a_comparison_made_again_after_its_own_model_was_promoted_says_the_same(shop: Settings, told: Told) -> None:
    before = told.left
    with champion_is(shop, told.versions[0]):
        for step in ("compare", "gate", "register"):
            STEPS[step](shop, told.run_id)
    assert told.left == before


def test_a_comparison_made_again_is_with_the_champion_of_then(shop: Settings, told: Told, clean: Told) -> None:
    before = told.left
    with champion_is(shop, clean.versions[0]):
        STEPS["compare"](shop, told.run_id)
    assert told.left == before


@pytest.fixture(scope="module")
def late(shop: Settings, clean: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A whole training whose training set was then built again alone, when a day's reactions had changed."""
    assert clean.settings is shop
    home = Path(shutil.copytree(shop.home, tmp_path_factory.mktemp("late") / "home"))
    settings = shop.model_copy(update={"home": home})
    told = carried_out(settings, "late events")
    lake, day = lake_of(settings), AS_OF - timedelta(days=4)
    rows = lake.read(REACTIONS, [day])
    lake.replace_day(REACTIONS, day, rows.slice(0, rows.num_rows // 2), EVENT_SCHEMAS[REACTIONS])
    STEPS["build"](settings, told.run_id)
    return told


@pytest.mark.parametrize("step", AFTER_TRAINING)
def test_a_step_refuses_a_model_that_is_of_another_training_set(late: Told, step: str) -> None:
    with pytest.raises(StaleError, match=rf"the model and scores of run {late.run_id} .* Clear from `tune` on\."):
        STEPS[step](late.settings, late.run_id)


def test_training_refuses_parameters_that_were_found_on_another_training_set(late: Told) -> None:
    with pytest.raises(StaleError, match=rf"the parameters of run {late.run_id} .* Clear from `tune` on\."):
        STEPS["train"](late.settings, late.run_id)


def test_a_model_of_another_training_set_is_not_reproduced(late: Told) -> None:
    with pytest.raises(StaleError, match=r"Clear from `tune` on\."):
        reproduce(late.settings, late.run_id)


def test_cleared_from_tuning_on_no_figure_of_the_former_training_set_is_left(late: Told) -> None:
    fresh = carried_out(late.settings, "after the late events")
    for step in ("tune", "train", *AFTER_TRAINING):
        STEPS[step](late.settings, late.run_id)
    assert {**late.left, "versions": 1} == fresh.left


@pytest.fixture(scope="module")
def measured(shop: Settings) -> str:
    """The run of a training that was measured, and is compared with nobody yet."""
    return begun(shop, "to be compared", until="compare")


def test_a_champion_of_a_later_day_is_not_compared_with(shop: Settings, told: Told, measured: str) -> None:
    client, number = MlflowClient(shop.mlflow, shop.mlflow), str(told.versions[0])
    later = AS_OF + timedelta(days=7)
    with champion_is(shop, told.versions[0]):
        client.set_model_version_tag(MODEL, number, "as_of", later.isoformat())
        with pytest.raises(ComparisonError, match=f"version {number}, which is as of {later}.* Train as of {later} or"):
            STEPS["compare"](shop, measured)
        client.set_model_version_tag(MODEL, number, "as_of", AS_OF.isoformat())


def test_a_feature_of_the_champion_that_is_gone_is_named(shop: Settings, told: Told, measured: str) -> None:
    training = open_record(shop, told.run_id)
    gone = training.model().features[0]
    fewer = replace(training.data, features=tuple(name for name in training.data.features if name != gone))
    with (
        champion_is(shop, told.versions[0]),
        patch.object(TrainingRecord, "data", fewer),
        pytest.raises(ComparisonError, match=f"version {told.versions[0]}, ranks by {gone}, which the catalogue"),
    ):
        STEPS["compare"](shop, measured)


def test_test_days_without_a_list_are_named(shop: Settings, measured: str) -> None:
    with (
        patch.object(TrainingSet, "batches", lambda *_: iter(())),
        pytest.raises(ComparisonError, match=rf"there is no list on any test day \({AS_OF - timedelta(days=2)} to"),
    ):
        STEPS["measure"](shop, measured)


@pytest.mark.parametrize(("tag", "task"), [("measured", "evaluate"), ("compared", "compare"), ("judged", "gate")])
def test_a_model_is_not_registered_by_what_was_found_of_another(
    shop: Settings, told: Told, tag: str, task: str
) -> None:
    run = open_record(shop, told.run_id).run
    run.tag(**{tag: "0" * 64})
    with pytest.raises(StaleError, match=rf"what `{task}` left .* another model .* Clear from `{task}` on\."):
        STEPS["register"](shop, told.run_id)
    run.tag(**{tag: run.tags["rankloop.model_digest"]})


def test_a_challenger_whose_training_is_rejected_after_all_is_put_away(shop: Settings) -> None:
    told = carried_out(shop, "rejected after all")
    [number] = told.versions
    run = open_record(shop, told.run_id).run
    result = GateResult.from_json(run.get_text(record.GATE))
    failing = replace(result.rules[0], outcome="fail")
    run.put_text(record.GATE, replace(result, rules=(failing, *result.rules[1:])).to_json())
    record_rejection(shop, told.run_id)
    assert versions.version(Registry(shop.mlflow), number).lifecycle == "Archived"
    assert versions.challenger(Registry(shop.mlflow)) is None
