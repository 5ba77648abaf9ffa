"""The versions of the lake's tables that must stay readable, because a registered model was trained on them."""

from rankloop.champions.history import champion_number
from rankloop.errors import RankloopError
from rankloop.lake.maintenance import PinnedVersions
from rankloop.mongo import connect
from rankloop.registry.connection import Registry
from rankloop.registry.versions import MODEL, trained_on
from rankloop.settings import Settings
from rankloop.state import ledger


class OtherRegistryError(RankloopError):
    """The MLflow that was asked does not know the champion."""


def pins(settings: Settings) -> PinnedVersions:
    """By table, each version that some registered model was trained on, and which models.

    Every registered version counts, whatever became of it: one that is archived may be asked about years later. What
    nobody will ask about any more is deleted in MLflow, and is pinned no longer.
    """
    known = trained_on(Registry(settings.mlflow))
    with connect(settings.mongo) as client:
        champion = champion_number(ledger.read_ledger(client))
    # An empty MLflow, asked by mistake, would pin nothing, and all that could be trained again would be gone.
    if champion is not None and champion not in known:
        raise OtherRegistryError(
            f"version {champion} is champion by the ledger, and {MODEL} at {settings.mlflow} has no such version. "
            "Nothing was removed. Set RANKLOOP_MLFLOW_URI to the MLflow of this shop, or roll back to a version that "
            "there is."
        )
    found: dict[str, dict[int, list[int]]] = {}
    for model, tables in sorted(known.items()):
        for table, version in tables.items():
            found.setdefault(table, {}).setdefault(version, []).append(model)
    return found
