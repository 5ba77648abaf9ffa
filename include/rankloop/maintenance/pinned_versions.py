"""The versions of the lake's tables that must stay readable, because a registered model was trained on them."""

from rankloop.champions.history import champion_number
from rankloop.errors import RankloopError
from rankloop.lake.maintenance import PinnedVersions
from rankloop.mongo import Client
from rankloop.registry.connection import Registry
from rankloop.registry.versions import MODEL, trained_on
from rankloop.state import ledger


class WrongRegistryError(RankloopError):
    """The MLflow that was asked does not know the champion."""


def pinned_versions(state: Client, registry: Registry) -> PinnedVersions:
    """Return, by table, each version that a registered model was trained on, and those models.

    Every registered version counts, an archived one too: somebody may ask about it years later. A model that nobody
    will ask about is deleted in MLflow, which unpins its tables.
    """
    trained = trained_on(registry)
    champion = champion_number(ledger.read_ledger(state))
    # An empty MLflow, asked by mistake, would pin nothing, and every training set would be removed.
    if champion is not None and champion not in trained:
        raise WrongRegistryError(
            f"version {champion} is champion by the ledger, and {MODEL} at {registry.uri} has no such version. "
            "Nothing was removed. Set RANKLOOP_MLFLOW_URI to the MLflow of this shop, or roll back to a version that "
            "exists."
        )
    pins: dict[str, dict[int, list[int]]] = {}
    for model, tables in sorted(trained.items()):
        for table, version in tables.items():
            pins.setdefault(table, {}).setdefault(version, []).append(model)
    return pins
