"""Chooses what ranks: the champion, else the previous champion, else the shop's own ranking.

A version that is held back, because buyers did worse with it than without, is skipped until it is released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_number, previous_champion
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.errors import RankloopError, TransientError
from rankloop.mongo import Client
from rankloop.ranking.model import Model, load_model
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.state import actions
from rankloop.state.ledger import LedgerEntry

LOAD_ERRORS = (RankloopError, ValueError, KeyError, OSError)
"""What loading raises when a model's files are gone, were changed, or have another format."""

VERSION_PREFIX = "version "


@dataclass(frozen=True)
class ActiveRanker:
    """A model that ranks, or the shop's own ranking."""

    model: Model | None
    version: int | None
    digest: str
    """Of the model; empty for the shop's own ranking."""
    notes: tuple[str, ...] = ()
    """Why it is not the champion, one line for each that was skipped."""

    @property
    def policy(self) -> str:
        """The policy name of the lists that it ranks."""
        return policy_name(self.version)


BASE_RANKER = ActiveRanker(None, None, "")


def policy_name(version: int | None) -> str:
    """Return the policy name that marks lists ranked by this version."""
    return BASE_POLICY if version is None else f"{VERSION_PREFIX}{version}"


def version_of_policy(policy: str) -> int | None:
    """Return the version of a policy name; None for the shop's own ranking, and for policies that are not ours."""
    number = policy.removeprefix(VERSION_PREFIX)
    return int(number) if policy.startswith(VERSION_PREFIX) and number.isdecimal() else None


def choose_ranker(state: Client, registry: Registry) -> ActiveRanker:
    """Return the first ranker in that order that can be loaded."""
    return first_loadable_ranker(registry, reconcile_aliases(state, registry), actions.held_versions(state))


def first_loadable_ranker(registry: Registry, entries: Sequence[LedgerEntry], held: Mapping[int, str]) -> ActiveRanker:
    """Return the first ranker that can be loaded, given the ledger's entries and why versions are held back.

    A server that is down is an error, and no reason to skip the champion.
    """
    notes: list[str] = []
    champions = ("champion", champion_number(entries)), ("previous champion", previous_champion(entries))
    for role, number in champions:
        if number is None:
            notes.append(f"there is no {role}")
            continue
        if number in held:
            notes.append(f"the {role}, version {number}, is held back: {held[number]}")
            continue
        try:
            ranker = load_ranker(registry, number)
        except TransientError:
            raise
        except LOAD_ERRORS as error:
            notes.append(f"the {role}, version {number}, cannot be loaded: {error}")
            continue
        return ActiveRanker(ranker.model, ranker.version, ranker.digest, tuple(notes))
    return ActiveRanker(None, None, "", (*notes, "the shop's own ranking stands in"))


def load_ranker(registry: Registry, number: int) -> ActiveRanker:
    """Return this version as a ranker, whether or not it is the champion."""
    version = versions.version(registry, number)
    return ActiveRanker(_download_model(registry, version), number, version.digest)


def load_version_model(registry: Registry, number: int) -> Model:
    """Return the model of this version."""
    return _download_model(registry, versions.version(registry, number))


def _download_model(registry: Registry, version: versions.Version) -> Model:
    with TemporaryDirectory() as folder:
        return load_model(versions.load(registry, version, Path(folder) / "model"))
