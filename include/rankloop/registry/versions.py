"""Versions of the ranker in MLflow's registry: what each is, and which is the challenger and the champion."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from rankloop.registry.artifacts import Artifacts
from rankloop.registry.connection import Registry, RegistryError, speaking_to
from rankloop.registry.pyfunc import INSIDE, artifact_of, intact
from rankloop.registry.tracking import TrainingRun, as_text

MODEL = "rankloop-ranker"
CHALLENGER, CHAMPION = "challenger", "champion"
LIFECYCLE = "lifecycle"
"""The tag for a model's life; MLflow's own stages are deprecated."""
Lifecycle = Literal["None", "Staging", "Production", "Archived"]
LIFECYCLES: tuple[Lifecycle, ...] = get_args(Lifecycle)
LONGEST_DESCRIPTION = 5000
"""What a registry's database takes: PostgreSQL refuses more, and a model card is longer."""
DATA_VERSIONS = "data_versions"
OURS = (LIFECYCLE, "digest", "as_of")
"""Tags that each version has which was registered here."""


@dataclass(frozen=True)
class VersionSummary:
    """What is to be known of a version at a glance; the rest is with its run."""

    as_of: date
    data_versions: Mapping[str, int]
    """By table, the version that it was trained on."""
    gate: str
    """What the gate said, such as `passed`."""
    card: str = ""
    """The artifact of the run that is the model card."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further tags."""


@dataclass(frozen=True)
class Version:
    """A registered version."""

    number: int
    run_id: str
    source: str
    digest: str
    as_of: date
    lifecycle: Lifecycle
    aliases: tuple[str, ...]
    registered_at: datetime
    tags: Mapping[str, str]
    """All of them, as text: `data_versions` as JSON, `gate`, `run_link` and the further ones too."""


def register(registry: Registry, run: TrainingRun, digest: str, facts: VersionSummary) -> int:
    """Register this run's model with this digest as the challenger if it is not yet, and return its version.

    Registering again sets right what a kill left undone, and nothing else: a version that was promoted or rejected in
    the meantime stays so, and a newer challenger stays the challenger.
    """
    if not run.has(artifact_of(digest)):
        raise RegistryError(f"{run.owner} has no model with the digest {digest}: clear the task that trains it.")
    client = registry.client
    with speaking_to(registry.uri, f"registering the model of {run.owner}"):
        _make_missing_model(client)
        tags = _tags(run, digest, facts)
        entry = _found(client, run.run_id, digest) or _created(client, run, digest, tags, facts)
        for name, value in tags.items():
            if name != LIFECYCLE and entry.tags.get(name) != value:
                client.set_model_version_tag(MODEL, str(entry.version), name, value)
        challenger_number = _aliases(client).get(CHALLENGER, 0)
        if entry.tags.get(LIFECYCLE) == "Staging" and challenger_number < int(entry.version):
            client.set_registered_model_alias(MODEL, CHALLENGER, str(entry.version))
    return int(entry.version)


def challenger(registry: Registry) -> Version | None:
    """Return the challenger's version, the newest that awaits an answer, or None if there is none."""
    return _by_alias(registry, CHALLENGER)


def version(registry: Registry, number: int) -> Version:
    """Return the version with this number; refuse one that no training registered."""
    client = registry.client
    with speaking_to(registry.uri, f"looking for version {number} of {MODEL}"):
        entry = client.get_model_version(MODEL, str(number))
    if missing := [name for name in OURS if name not in entry.tags]:
        raise RegistryError(
            f"version {number} of {MODEL} at {registry.uri} lacks the tags {', '.join(missing)}: it was not "
            "registered by a training, so nothing is known of it. Take another."
        )
    return _as_version(entry)


def versions(registry: Registry) -> list[Version]:
    """All versions that trainings registered, newest first."""
    client = registry.client
    with speaking_to(registry.uri, f"listing the versions of {MODEL}"):
        registered = [_as_version(entry) for entry in _all(client) if all(name in entry.tags for name in OURS)]
        numbers = _aliases(client)  # a search leaves them out
    named = [replace(entry, aliases=_names(numbers, entry.number)) for entry in registered]
    return sorted(named, key=lambda entry: -entry.number)


def trained_on(registry: Registry) -> dict[int, dict[str, int]]:
    """By the number of every version there is, archived ones too, the tables and versions it was trained on.

    One that no training registered was trained on nothing that is known. Of one that a training did, it must be known.
    """
    client = registry.client
    with speaking_to(registry.uri, f"asking what the versions of {MODEL} were trained on"):
        return {int(entry.version): _data_versions(client, entry) for entry in _all(client)}


def _data_versions(client: MlflowClient, entry: ModelVersion) -> dict[str, int]:
    noted = entry.tags.get(DATA_VERSIONS)
    if noted is None and entry.run_id:  # somebody may have removed the tag; the run has it too
        noted = client.get_run(entry.run_id).data.tags.get(f"rankloop.{DATA_VERSIONS}")
    if noted is None and not any(name in entry.tags for name in OURS):
        return {}
    try:
        return {str(table): int(number) for table, number in json.loads(noted or "").items()}
    except (AttributeError, TypeError, ValueError):
        raise RegistryError(
            f"version {entry.version} of {MODEL} does not say what it was trained on: its tag {DATA_VERSIONS} is "
            f"{noted!r}. Set it in MLflow from `data.json` of its run, or delete the version if nobody needs it."
        ) from None


def load(registry: Registry, wanted: Version, folder: Path) -> Path:
    """Download a version's model folder to this path, which must not hold anything yet, and check its digest."""
    owner = f"version {wanted.number} of {MODEL}"
    return intact(Artifacts(registry.uri, wanted.source, owner).get_folder(INSIDE, folder), wanted.digest, owner)


def _by_alias(registry: Registry, alias: str) -> Version | None:
    client = registry.client
    with speaking_to(registry.uri, f"looking for the {alias}"):
        number = _aliases(client).get(alias)
    return None if number is None else version(registry, number)


def _make_missing_model(client: MlflowClient) -> None:
    try:
        client.create_registered_model(MODEL, description="Ranks the products of a list for its buyer.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _created(
    client: MlflowClient, run: TrainingRun, digest: str, tags: dict[str, str], facts: VersionSummary
) -> ModelVersion:
    source = f"{run.root}/{artifact_of(digest)}"
    # With its tags at once: there is never a version that nothing is known of.
    created = client.create_model_version(
        MODEL, source, run.run_id, tags=tags, run_link=run.link, description=_description(run, facts)
    )
    # Where two registered at once, both go on with the older one.
    oldest = _found(client, run.run_id, digest) or created
    if int(oldest.version) != int(created.version):
        client.delete_model_version(MODEL, str(created.version))
    return oldest


def _description(run: TrainingRun, facts: VersionSummary) -> str:
    link = f"\n\n[The model card]({run.link}/artifacts/{facts.card})" if facts.card else ""
    return facts.gate[: LONGEST_DESCRIPTION - len(link)] + link


def _found(client: MlflowClient, run_id: str, digest: str) -> ModelVersion | None:
    mine = [entry for entry in _all(client) if (entry.run_id, entry.tags.get("digest")) == (run_id, digest)]
    return min(mine, key=lambda entry: int(entry.version), default=None)


def _all(client: MlflowClient) -> list[ModelVersion]:
    entries, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{MODEL}'", page_token=token)
        entries += list(page)
        if not (token := page.token):
            return entries


def _aliases(client: MlflowClient) -> dict[str, int]:
    """By alias, the version that has it; none while there is no model."""
    try:
        aliases: Mapping[str, Any] = client.get_registered_model(MODEL).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return {alias: int(number) for alias, number in aliases.items()}


def _names(numbers: Mapping[str, int], number: int) -> tuple[str, ...]:
    return tuple(sorted(name for name, holder in numbers.items() if holder == number))


def _tags(run: TrainingRun, digest: str, facts: VersionSummary) -> dict[str, str]:
    own: dict[str, object] = {
        LIFECYCLE: "Staging",
        "as_of": facts.as_of,
        DATA_VERSIONS: dict(facts.data_versions),
        "digest": digest,
        "gate": facts.gate,
        "run_link": run.link,
    }
    if clash := sorted(set(own) & set(facts.more)):
        raise RegistryError(f"a version already has tags called {', '.join(clash)}; call the further ones otherwise.")
    return {name: as_text(value) for name, value in {**facts.more, **own}.items()}


def _as_version(entry: ModelVersion) -> Version:
    lifecycle = next((name for name in LIFECYCLES if name == entry.tags[LIFECYCLE]), None)
    if lifecycle is None:
        raise RegistryError(
            f"version {entry.version} of {MODEL} has the lifecycle '{entry.tags[LIFECYCLE]}'; there are "
            f"{', '.join(LIFECYCLES)}. Set the tag right in MLflow."
        )
    return Version(
        number=int(entry.version),
        run_id=str(entry.run_id),
        source=str(entry.source),
        digest=entry.tags["digest"],
        as_of=date.fromisoformat(entry.tags["as_of"]),
        lifecycle=lifecycle,
        aliases=tuple(sorted(entry.aliases)),
        registered_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
        tags=dict(entry.tags),
    )
