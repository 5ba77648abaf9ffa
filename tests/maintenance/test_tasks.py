"""Maintenance asks the registry what must stay, and removes nothing where it cannot know."""

from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from mlflow import MlflowClient
from pydantic import SecretStr

from rankloop.champions.current import reconcile_aliases
from rankloop.context import open_context
from rankloop.errors import TransientError
from rankloop.lake.tables import Lake
from rankloop.maintenance.pinned_versions import WrongRegistryError, pinned_versions
from rankloop.maintenance.tasks import (
    compact_small_files,
    remove_old_reports,
    remove_unused_files,
    vacuum_unused_files,
)
from rankloop.mongo import connect
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import put_model
from rankloop.registry.tracking import open_training
from rankloop.registry.versions import CHAMPION, LIFECYCLE, MODEL, VersionSummary, register
from rankloop.settings import Settings
from rankloop_demo.stack.environment import as_variables
from tests.registry import small_model
from tests.running import free_ports, rankloop

pytestmark = pytest.mark.stack

LISTS = "training/lists"
SCHEMA = pa.schema({"dt": pa.date32(), "n": pa.int64()})
MONDAY = date(2026, 11, 2)
TRAININGS = count(1)


@pytest.fixture
def settings(mlflow_address: str, mongo: str, tmp_path: Path) -> Iterator[Settings]:
    """A shop whose lists of one day were written five times."""
    yield Settings(home=tmp_path, mlflow_uri=mlflow_address, mongo_uri=SecretStr(mongo))
    mlflow = MlflowClient(mlflow_address, mlflow_address)
    if mlflow.search_registered_models():
        mlflow.delete_registered_model(MODEL)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    lake = Lake(settings.lake_root)
    for number in range(1, 6):
        lake.replace_day(LISTS, MONDAY, pa.table({"n": [number]}), SCHEMA)
    return lake


def trained(settings: Settings, tmp_path: Path, version: int) -> int:
    """A registered model that was trained on this version of the lists."""
    number = next(TRAININGS)
    run = open_training(Registry(settings.mlflow), f"maintenance {number}", MONDAY, "weekly")
    digest = put_model(run, small_model.write(tmp_path / f"model {number}", seed=number), small_model.EXAMPLE)
    return register(Registry(settings.mlflow), run, digest, VersionSummary(MONDAY, {LISTS: version}, "passed"))


def readable(lake: Lake) -> list[int]:
    """The versions of the lists whose files are all there."""
    return [
        number for number in range(1, 6) if all(Path(file).exists() for file in lake.files(LISTS, [MONDAY], number))
    ]


def test_only_what_no_registered_model_was_trained_on_goes(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    first, again = trained(settings, tmp_path, 2), trained(settings, tmp_path, 2)
    retired = trained(settings, tmp_path, 4)
    MlflowClient(settings.mlflow, settings.mlflow).set_model_version_tag(MODEL, str(retired), LIFECYCLE, "Archived")
    with open_context(settings) as context:
        assert pinned_versions(context.state, context.registry) == {LISTS: {2: [first, again], 4: [retired]}}
        removed = remove_unused_files(context, keep_days=0, dry_run=False)
    assert [(entry.table, entry.files) for entry in removed] == [(LISTS, 2)]
    assert readable(lake) == [2, 4, 5]


def test_versions_of_the_last_days_stay_though_nobody_was_trained_on_them(settings: Settings, lake: Lake) -> None:
    with open_context(settings) as context:
        assert vacuum_unused_files(context) == {}
        assert readable(lake) == [1, 2, 3, 4, 5]
        assert (compact_small_files(context), remove_old_reports(context)) == ({}, [])


def test_a_registry_that_does_not_know_the_champion_is_not_believed(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    number = trained(settings, tmp_path, 2)
    mlflow = MlflowClient(settings.mlflow, settings.mlflow)
    mlflow.set_registered_model_alias(MODEL, CHAMPION, str(number))
    with connect(settings.mongo) as client:
        reconcile_aliases(client, Registry(settings.mlflow))
    mlflow.delete_model_version(MODEL, str(number))
    with (
        open_context(settings) as context,
        pytest.raises(WrongRegistryError, match=f"version {number} is champion by the ledger, and"),
    ):
        remove_unused_files(context, keep_days=0, dry_run=False)
    assert readable(lake) == [1, 2, 3, 4, 5]


def test_nothing_goes_while_the_registry_does_not_answer(settings: Settings, lake: Lake) -> None:
    deaf = settings.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_ports().mlflow}"})
    with open_context(deaf) as context, pytest.raises(TransientError, match="does not answer"):
        remove_unused_files(context, keep_days=0, dry_run=False)
    assert readable(lake) == [1, 2, 3, 4, 5]


def test_the_command_line_says_what_would_go_and_what_went(settings: Settings, lake: Lake) -> None:
    report = Path(lake.root) / "reports" / "drift"
    for day in ("2026-01-01", "2026-11-02"):
        (report / f"dt={day}").mkdir(parents=True)
        (report / f"dt={day}" / "report.html").touch()
    environment = as_variables(settings)
    foreseen = rankloop("lake", "cleanup", "--dry-run", environment=environment)
    assert "1 drift reports would be removed: 2026-01-01 to 2026-01-01" in foreseen.stdout, foreseen.stderr
    assert (report / "dt=2026-01-01").exists()
    done = rankloop("lake", "cleanup", environment=environment)
    assert "1 drift reports removed" in done.stdout, done.stderr
    assert not (report / "dt=2026-01-01").exists()
