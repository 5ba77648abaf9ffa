"""A training is done again from its run alone, whatever is configured by now."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankloop.lake.maintenance import compact_tables, vacuum_lake
from rankloop.ranking import training_set
from rankloop.ranking.lists import LISTS, LISTS_SCHEMA
from rankloop.registry import evidence
from rankloop.registry.connection import Registry
from rankloop.registry.versions import trained_on
from rankloop.settings import Settings
from rankloop.training import reproduce as reproduction
from rankloop.training.reproduce import ReproductionError
from rankloop_demo.stack.environment import as_variables
from tests.building import lake_of
from tests.running import rankloop
from tests.training.steps import AS_OF, SMALL, Told, reproduce

pytestmark = pytest.mark.stack
DAY = AS_OF.replace(day=AS_OF.day - 1)


@pytest.fixture
def moved_on(shop: Settings, clean: Told, tmp_path: Path) -> Settings:
    """The shop of the clean training, where a day's lists were replaced since."""
    assert clean.settings is shop
    settings = shop.model_copy(update={"home": Path(shutil.copytree(shop.home, tmp_path / "home"))})
    lake = lake_of(settings)
    lake.replace_day(LISTS, DAY, lake.read(LISTS, [DAY]).slice(0, 50), LISTS_SCHEMA)
    return settings


def test_the_same_model_comes_of_a_run_though_settings_features_and_data_moved_on(
    moved_on: Settings, clean: Told
) -> None:
    training = SMALL.model_copy(update={"seed": 99, "train_days": 1, "ranker": "logistic", "max_features": 3})
    settings = moved_on.model_copy(update={"training": training})
    with patch.object(training_set, "BUILT_IN", SimpleNamespace(feature_names=("product_price",))):
        found = reproduce(settings, clean.run_id)
    assert found.same
    assert {one.what for one in found.differences} == {
        "version of training/lists",
        "setting training.seed",
        "setting training.train_days",
        "setting training.ranker",
        "setting training.max_features",
    }


def test_the_same_model_comes_of_a_registered_run_after_upkeep_though_its_rows_were_replaced(
    moved_on: Settings, clean: Told
) -> None:
    [number] = clean.versions
    pins = {table: {version: [number]} for table, version in trained_on(Registry(moved_on.mlflow))[number].items()}
    lake = lake_of(moved_on)
    lake.replace_day(LISTS, DAY, lake.read(LISTS, [DAY]).slice(0, 20), LISTS_SCHEMA)
    compact_tables(lake)
    # The rows between those that it learned from and the newest are nobody's.
    assert {gone.table: gone.files for gone in vacuum_lake(lake, pins, keep_days=0)}[LISTS] == 1
    assert reproduce(moved_on, clean.run_id).same


def test_another_package_is_named_with_its_versions(shop: Settings, clean: Told) -> None:
    installed = evidence.environment()
    with patch.object(evidence, "environment", lambda: replace(installed, distributions=("numpy==0.1",))):
        found = reproduce(shop, clean.run_id)
    [numpy] = [one for one in found.differences if one.what == "package numpy"]
    assert numpy.now == "0.1"


def test_a_model_that_is_another_is_told(shop: Settings, clean: Told) -> None:
    with patch.object(reproduction, "as_params", lambda read: {**read, "learning_rate": 0.11}):
        found = reproduce(shop, clean.run_id)
    assert not found.same
    assert found.changed_rows
    assert found.largest_change > 0


def test_rows_that_were_tidied_away_are_refused_by_name(moved_on: Settings, clean: Told) -> None:
    lake_of(moved_on).remove_old_files(LISTS, keep_days=0)
    with pytest.raises(ReproductionError, match=rf"run {clean.run_id}.* version 5 of training/lists .* are gone"):
        reproduce(moved_on, clean.run_id)


def test_rows_that_were_changed_in_place_are_refused_though_the_log_says_otherwise(
    moved_on: Settings, clean: Told
) -> None:
    lake = lake_of(moved_on)
    [file] = lake.files(LISTS, [DAY], 5)
    rows = pq.read_table(file, partitioning=None)
    other = pa.compute.add(rows["position"], pa.scalar(1, pa.int32()))
    pq.write_table(rows.set_column(rows.column_names.index("position"), "position", other), file)
    with pytest.raises(ReproductionError, match=rf"hold other rows than the run read \({DAY}\)"):
        reproduce(moved_on, clean.run_id)


def test_another_lake_is_refused(shop: Settings, clean: Told, tmp_path: Path) -> None:
    with pytest.raises(ReproductionError, match="or this is another lake"):
        reproduce(shop.model_copy(update={"lake": str(tmp_path)}), clean.run_id)


def test_the_command_line_trains_again(shop: Settings, clean: Told) -> None:
    said = rankloop("train", "reproduce", clean.run_id, environment=as_variables(shop))
    assert said.returncode == 0, said.stderr
    assert "It is the same model." in said.stdout
