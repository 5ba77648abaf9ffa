"""A training from the plan to the registered challenger, and each of its steps done twice."""

from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankloop.calendar import days_between
from rankloop.contracts.lake import REACTIONS, SHOWN
from rankloop.errors import RankloopError
from rankloop.ranking.windows import DaysMissingError
from rankloop.registry.connection import RegistryError
from rankloop.settings import Settings
from rankloop.training import evaluation, fitting, record, registration
from rankloop.training.registration import training_outcome
from tests.building import lake_of
from tests.training.steps import AS_OF, SMALL, STEPS, Told, open_record, plan

pytestmark = pytest.mark.stack


def test_a_training_ends_with_a_registered_challenger(clean: Told) -> None:
    assert clean.left["outcome"] == "registered"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_done_twice_leaves_the_same(shop: Settings, clean: Told, step: str) -> None:
    before = clean.left
    STEPS[step](shop, clean.run_id)
    assert clean.left == before


def test_a_plan_made_again_leaves_a_training_that_ended_at_its_end(shop: Settings, clean: Told) -> None:
    before = clean.left
    assert plan(shop, "clean") == clean.run_id
    assert clean.left == before


def test_drift_may_ask_for_a_training_on_what_came_after_it(shop: Settings) -> None:
    since = AS_OF - timedelta(days=3)
    run_id = plan(shop, "after drift", AS_OF, "tastes have moved", drift=True, since=since)
    assert open_record(shop, run_id).windows.days == tuple(days_between(since, AS_OF - timedelta(days=1)))


def test_a_training_may_be_asked_for_with_fewer_trials_and_keeps_to_them(shop: Settings) -> None:
    run_id = plan(shop, "soon", AS_OF, "wanted soon", trials=1)
    assert plan(shop, "soon", AS_OF, "wanted soon") == run_id
    assert open_record(shop, run_id).options.max_iter == 1


def test_a_step_that_time_mends_leaves_the_training_under_way(shop: Settings) -> None:
    run_id = plan(shop, "days are missing")
    with patch.object(fitting, "prepare_lists", side_effect=DaysMissingError), pytest.raises(DaysMissingError):
        STEPS["build"](shop, run_id)
    assert open_record(shop, run_id).run.status == "RUNNING"


def test_a_step_that_cannot_go_on_stops_the_training_until_it_is_cleared(shop: Settings) -> None:
    run_id = plan(shop, "stopped")
    with pytest.raises(RegistryError):
        STEPS["train"](shop, run_id)
    told = training_outcome(open_record(shop, run_id).run)
    assert told["outcome"] == "stopped"
    assert "has no artifact tuning.json" in told["stopped_because"]
    assert open_record(shop, run_id).run.status == "FAILED"
    STEPS["build"](shop, run_id)
    assert open_record(shop, run_id).run.status == "RUNNING"
    assert training_outcome(open_record(shop, run_id).run) == {}


def test_a_step_that_fails_after_the_end_leaves_the_end(shop: Settings, clean: Told) -> None:
    before = clean.left
    with patch.object(evaluation, "compare", side_effect=RankloopError), pytest.raises(RankloopError):
        STEPS["compare"](shop, clean.run_id)
    assert clean.left == before


def test_the_run_says_what_the_lists_were_made_from(shop: Settings, clean: Told) -> None:
    noted = open_record(shop, clean.run_id).run.get_json(record.INPUTS)
    lake, tables = lake_of(shop), {table["table"]: table for table in noted["tables"]}
    assert {"features/product", SHOWN, REACTIONS} < set(tables)
    day = AS_OF - timedelta(days=3)
    for table in ("features/product", REACTIONS):
        assert tables[table]["digests"][day.isoformat()] == lake.digest(table, day)
    assert noted["features"]["seen_days"] == shop.features.seen_days


def sample(shop: Settings, run_id: str, folder: Path) -> pa.Table:
    STEPS["register"](shop, run_id)
    return pq.read_table(open_record(shop, run_id).run.get_file(record.REFERENCE, folder / "reference.parquet"))


def test_drift_is_measured_against_about_so_many_rows_of_any_list_and_position(
    shop: Settings, clean: Told, tmp_path: Path
) -> None:
    training = open_record(shop, clean.run_id)
    rows = sum(training.data.rows(name) for name in training.tests)
    with patch.object(registration, "REFERENCE_ROWS", rows // 4):
        some = sample(shop, clean.run_id, tmp_path)
    assert some.num_rows == pytest.approx(rows // 4, rel=0.2)
    assert sample(shop, clean.run_id, tmp_path).num_rows == rows


def test_a_training_set_is_made_by_the_settings_the_training_was_begun_with(shop: Settings, clean: Told) -> None:
    before = clean.left
    training = SMALL.model_copy(update={"idle_share": 1.0, "label_hours": 1})
    STEPS["build"](shop.model_copy(update={"training": training}), clean.run_id)
    assert clean.left == before
