"""A model is registered once, whatever happens meanwhile, and a version is what it says it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import mlflow.pyfunc
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from rankloop.errors import TransientError
from rankloop.registry import aliases
from rankloop.registry.connection import Registry, RegistryError
from rankloop.registry.pyfunc import artifact_of, model_digest, put_model
from rankloop.registry.tracking import TrainingRun, open_training
from rankloop.registry.versions import MODEL, VersionSummary, challenger, load, register, trained_on, version, versions
from rankloop.settings import Settings
from tests.registry import small_model
from tests.registry.conftest import AS_OF
from tests.registry.cuts import Killed, cut
from tests.running import free_ports

pytestmark = pytest.mark.stack

FACTS = VersionSummary(
    as_of=AS_OF,
    data_versions={"training/lists": 41, "training/counts": 41},
    gate="passed",
    card="model_card.md",
    more={"reason": "weekly", "margin": 0.02, "champion_digest": ""},
)
CUTS = [
    (method, when)
    for method in ("create_registered_model", "create_model_version", "set_registered_model_alias")
    for when in ("before", "after")
]


@pytest.fixture(autouse=True)
def _nothing_registered(client: MlflowClient) -> Iterator[None]:
    yield
    if client.search_registered_models():
        client.delete_registered_model(MODEL)


@pytest.fixture
def digest(run: TrainingRun, tmp_path: Path) -> str:
    """Of the model that the run keeps."""
    return put_model(run, small_model.write(tmp_path / "model"), small_model.EXAMPLE)


@pytest.fixture
def number(settings: Settings, run: TrainingRun, digest: str) -> int:
    """A version just registered."""
    return register(Registry(settings.mlflow), run, digest, FACTS)


def another(settings: Settings, tmp_path: Path) -> int:
    """A version that a later training registered."""
    run = open_training(Registry(settings.mlflow), f"after_{tmp_path.name}", AS_OF, "weekly")
    digest = put_model(run, small_model.write(tmp_path / "later", seed=1), small_model.EXAMPLE)
    return register(Registry(settings.mlflow), run, digest, FACTS)


def test_a_version_says_what_it_is(settings: Settings, run: TrainingRun, digest: str, number: int) -> None:
    found = version(Registry(settings.mlflow), number)
    assert (found.run_id, found.digest, found.as_of, found.lifecycle) == (run.run_id, digest, AS_OF, "Staging")
    assert dict(found.tags) == {
        "lifecycle": "Staging",
        "as_of": "2026-11-16",
        "data_versions": '{"training/counts": 41, "training/lists": 41}',
        "digest": digest,
        "gate": "passed",
        "run_link": run.link,
        "reason": "weekly",
        "margin": "0.02",
        "champion_digest": "",
    }


def test_the_registry_shows_the_verdict_and_where_the_card_is(
    client: MlflowClient, run: TrainingRun, number: int
) -> None:
    expected = f"passed\n\n[The model card]({run.link}/artifacts/model_card.md)"
    assert client.get_model_version(MODEL, str(number)).description == expected


def test_a_description_is_never_longer_than_any_database_takes(
    settings: Settings, client: MlflowClient, run: TrainingRun, digest: str
) -> None:
    number = register(Registry(settings.mlflow), run, digest, replace(FACTS, gate="worse; " * 1000))
    description = client.get_model_version(MODEL, str(number)).description
    assert len(description) == 5000
    assert description.endswith("/artifacts/model_card.md)")


def test_what_was_registered_is_the_challenger_and_no_champion(settings: Settings, number: int) -> None:
    found = challenger(Registry(settings.mlflow))
    assert found
    assert (found.number, found.aliases) == (number, ("challenger",))
    assert aliases.read(Registry(settings.mlflow)).champion is None


def test_before_the_first_training_there_is_neither(settings: Settings) -> None:
    assert (challenger(Registry(settings.mlflow)), versions(Registry(settings.mlflow))) == (None, [])


def test_a_model_is_registered_once(settings: Settings, run: TrainingRun, digest: str, number: int) -> None:
    assert register(Registry(settings.mlflow), run, digest, FACTS) == number
    assert [found.number for found in versions(Registry(settings.mlflow))] == [number]


@pytest.mark.parametrize(("method", "when"), CUTS)
def test_a_registration_killed_anywhere_ends_as_one_that_was_not(
    settings: Settings, run: TrainingRun, digest: str, method: str, when: Literal["before", "after"]
) -> None:
    with cut(MlflowClient, method, when):
        register(Registry(settings.mlflow), run, digest, FACTS)
    number = register(Registry(settings.mlflow), run, digest, FACTS)
    assert [found.number for found in versions(Registry(settings.mlflow))] == [number]
    found = version(Registry(settings.mlflow), number)
    assert (found.lifecycle, found.aliases) == ("Staging", ("challenger",))
    assert set(found.tags) == {
        *("lifecycle", "as_of", "data_versions", "digest", "gate", "run_link", "reason", "margin", "champion_digest")
    }


def test_a_version_is_never_seen_without_its_tags(settings: Settings, run: TrainingRun, digest: str) -> None:
    with cut(MlflowClient, "create_model_version", "after"):
        register(Registry(settings.mlflow), run, digest, FACTS)
    assert [found.digest for found in versions(Registry(settings.mlflow))] == [digest]


def test_tags_that_somebody_took_away_are_set_again(
    settings: Settings, run: TrainingRun, digest: str, number: int, client: MlflowClient
) -> None:
    client.delete_model_version_tag(MODEL, str(number), "gate")
    register(Registry(settings.mlflow), run, digest, FACTS)
    assert version(Registry(settings.mlflow), number).tags["gate"] == "passed"


def test_registering_again_does_not_undo_a_promotion(
    settings: Settings, run: TrainingRun, digest: str, number: int, client: MlflowClient
) -> None:
    client.set_model_version_tag(MODEL, str(number), "lifecycle", "Production")
    client.set_registered_model_alias(MODEL, "champion", str(number))
    client.delete_registered_model_alias(MODEL, "challenger")
    register(Registry(settings.mlflow), run, digest, FACTS)
    found = version(Registry(settings.mlflow), aliases.read(Registry(settings.mlflow)).champion or 0)
    assert found
    assert (found.lifecycle, found.aliases) == ("Production", ("champion",))


def test_registering_an_older_model_again_leaves_the_newer_challenger(
    settings: Settings, run: TrainingRun, digest: str, number: int, tmp_path: Path
) -> None:
    later = another(settings, tmp_path)
    assert register(Registry(settings.mlflow), run, digest, FACTS) == number
    found = challenger(Registry(settings.mlflow))
    assert found
    assert found.number == later


def test_two_that_register_at_once_go_on_with_one_version(settings: Settings, run: TrainingRun, digest: str) -> None:
    def after_another(self: MlflowClient, *arguments: Any, **more: Any) -> ModelVersion:  # noqa: ANN401  (whatever)
        create(self, *arguments, **more)
        return create(self, *arguments, **more)

    create = MlflowClient.create_model_version
    with patch.object(MlflowClient, "create_model_version", after_another):
        number = register(Registry(settings.mlflow), run, digest, FACTS)
    assert [found.number for found in versions(Registry(settings.mlflow))] == [number]


def test_versions_are_listed_newest_first(settings: Settings, number: int, tmp_path: Path) -> None:
    later = another(settings, tmp_path)
    assert [found.number for found in versions(Registry(settings.mlflow))] == [later, number]


def test_a_version_comes_back_as_the_folder_it_was(
    settings: Settings, number: int, digest: str, tmp_path: Path
) -> None:
    assert (
        model_digest(load(Registry(settings.mlflow), version(Registry(settings.mlflow), number), tmp_path / "back"))
        == digest
    )


def test_mlflow_itself_loads_the_challenger(settings: Settings, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.mlflow)
    by_alias, by_number = (
        mlflow.pyfunc.load_model(f"models:/{MODEL}{wanted}") for wanted in ("@challenger", f"/{number}")
    )
    assert by_alias.predict(by_alias.input_example).tolist() == by_number.predict(by_number.input_example).tolist()


def test_a_version_whose_files_changed_is_not_loaded(
    settings: Settings, run: TrainingRun, number: int, digest: str, tmp_path: Path
) -> None:
    run.put_text(f"{artifact_of(digest)}/data/model/ranker.json", "{}")
    with pytest.raises(RegistryError, match=f"version {number} of {MODEL} has the digest .* changed since"):
        load(Registry(settings.mlflow), version(Registry(settings.mlflow), number), tmp_path / "back")


def test_a_download_that_is_killed_leaves_no_folder(settings: Settings, number: int, tmp_path: Path) -> None:
    wanted = version(Registry(settings.mlflow), number)
    with patch("pathlib.Path.replace", side_effect=Killed), pytest.raises(Killed):
        load(Registry(settings.mlflow), wanted, tmp_path / "there/back")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_model_that_was_never_kept_is_not_registered(settings: Settings, run: TrainingRun) -> None:
    with pytest.raises(RegistryError, match=f"run {run.run_id} has no model with the digest 0000"):
        register(Registry(settings.mlflow), run, "0" * 64, FACTS)


def test_a_version_made_by_hand_is_refused_with_what_it_lacks(
    settings: Settings, run: TrainingRun, digest: str, number: int, client: MlflowClient
) -> None:
    source = f"{run.root}/{artifact_of(digest)}"
    by_hand = int(client.create_model_version(MODEL, source, run.run_id).version)
    assert [found.number for found in versions(Registry(settings.mlflow))] == [number]
    with pytest.raises(RegistryError, match=f"version {by_hand} of {MODEL} .* lacks the tags lifecycle, digest, as_of"):
        version(Registry(settings.mlflow), by_hand)


def test_a_version_that_is_not_there_is_named(settings: Settings, number: int) -> None:
    with pytest.raises(RegistryError, match=f"looking for version {number + 1}"):
        version(Registry(settings.mlflow), number + 1)


def test_a_tag_of_ours_cannot_be_given_another_meaning(settings: Settings, run: TrainingRun, digest: str) -> None:
    facts = VersionSummary(AS_OF, {}, "passed", more={"digest": "another"})
    with pytest.raises(RegistryError, match="already has tags called digest"):
        register(Registry(settings.mlflow), run, digest, facts)


def test_an_mlflow_that_is_down_has_no_champion_to_tell_of() -> None:
    nobody = f"http://127.0.0.1:{free_ports().mlflow}"
    with pytest.raises(TransientError, match=f"MLflow at {nobody} does not answer"):
        challenger(Registry(nobody))


def test_what_every_version_was_trained_on_is_known_archived_ones_too(
    settings: Settings, run: TrainingRun, digest: str, number: int, client: MlflowClient
) -> None:
    client.set_model_version_tag(MODEL, str(number), "lifecycle", "Archived")
    # And one that somebody registered past us, of which nothing is known.
    foreign = client.create_model_version(MODEL, f"{run.root}/{artifact_of(digest)}", run.run_id)
    assert trained_on(Registry(settings.mlflow)) == {number: FACTS.data_versions, int(foreign.version): {}}


def test_a_version_that_lost_its_tag_is_known_by_its_run(
    settings: Settings, run: TrainingRun, number: int, client: MlflowClient
) -> None:
    client.delete_model_version_tag(MODEL, str(number), "data_versions")
    with pytest.raises(RegistryError, match=rf"version {number} of {MODEL} does not say what it was trained on"):
        trained_on(Registry(settings.mlflow))
    run.tag(data_versions=FACTS.data_versions)
    assert trained_on(Registry(settings.mlflow)) == {number: FACTS.data_versions}
