"""Who ranks: the champion, else the champion before it, else the shop's own ranking.

A version that is held back, because buyers did worse with it than without, is passed over until it is released.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_number, previous_champion
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.errors import RankloopError, TransientError
from rankloop.mongo import connect
from rankloop.ranking.model import Model, load_model
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.state import actions

UNREADABLE = (RankloopError, ValueError, KeyError, OSError)
"""What comes of a model whose files are gone, changed, or of another format."""

VERSION = "version "


@dataclass(frozen=True)
class Ranker:
    """A model that ranks, or the shop's own ranking."""

    model: Model | None
    version: int | None
    digest: str
    """Of the model; empty for the shop's own ranking."""
    notes: tuple[str, ...] = ()
    """Why it is not the champion, a line for each that was passed over."""

    @property
    def policy(self) -> str:
        """As lists that it ranked are marked."""
        return policy_of(self.version)


THE_SHOPS_OWN = Ranker(None, None, "")


def policy_of(version: int | None) -> str:
    """How lists are marked that this version ranked."""
    return BASE_POLICY if version is None else f"{VERSION}{version}"


def version_of(policy: str) -> int | None:
    """The version whose lists are marked like this; None for the shop's own ranking and for a stranger's."""
    number = policy.removeprefix(VERSION)
    return int(number) if policy.startswith(VERSION) and number.isdecimal() else None


def choose_ranker(settings: Settings) -> Ranker:
    """The first of the named order that can be loaded; a server that is down is no reason to pass the champion over."""
    notes: list[str] = []
    for role, number, why in _in_order(settings):
        if number is None:
            notes.append(f"there is no {role}")
            continue
        if why:
            notes.append(f"the {role}, version {number}, is held back: {why}")
            continue
        try:
            found = load_version(Registry(settings.mlflow), number)
        except TransientError:
            raise
        except UNREADABLE as error:
            notes.append(f"the {role}, version {number}, cannot be loaded: {error}")
            continue
        return Ranker(found.model, found.version, found.digest, tuple(notes))
    return Ranker(None, None, "", (*notes, "the shop's own ranking stands in"))


def load_version(registry: Registry, number: int) -> Ranker:
    """Return this version as a ranker, whoever is champion."""
    wanted = versions.version(registry, number)
    return Ranker(_model_of(registry, wanted), number, wanted.digest)


def load_model_of(registry: Registry, number: int) -> Model:
    """Return the model of this version."""
    return _model_of(registry, versions.version(registry, number))


def _model_of(registry: Registry, wanted: versions.Version) -> Model:
    with TemporaryDirectory() as folder:
        return load_model(versions.load(registry, wanted, Path(folder) / "model"))


def _in_order(settings: Settings) -> Iterator[tuple[str, int | None, str]]:
    """Who would rank, best first, and why they are held back if they are."""
    with connect(settings.mongo) as client:
        entries, held = reconcile_aliases(client, Registry(settings.mlflow)), actions.held_versions(client)
    for role, number in (("champion", champion_number(entries)), ("champion before it", previous_champion(entries))):
        yield role, number, held.get(number, "") if number is not None else ""
