"""Which version has which alias in MLflow, and how the aliases follow a decision.

The ledger decides; the aliases follow it, and a mark on the model says which of its entries they have followed. So
what a kill left half done is told from what somebody moved by hand.
"""

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rankloop.registry.connection import Registry, speaking_to
from rankloop.registry.versions import CHALLENGER, CHAMPION, LIFECYCLE, MODEL, Lifecycle

PREVIOUS = "previous"
MARK = "rankloop.ledger"
COLLIDED = "BAD_REQUEST"
ROUNDS = 5
"""How often somebody else may be faster: each round leaves a row less to collide on, and there are four."""


@dataclass(frozen=True)
class Aliases:
    """The numbers of the versions that have an alias."""

    champion: int | None = None
    previous: int | None = None
    challenger: int | None = None
    mark: str = ""
    """Of the last entry of the ledger that they have followed; empty if of none."""


def read(registry: Registry) -> Aliases:
    """Read the aliases from MLflow as they are now."""
    client = registry.client
    with speaking_to(registry.uri, f"looking for the aliases of {MODEL}"):
        return _read(client)


def follow(registry: Registry, champion: int | None, previous: int | None, mark: str) -> None:
    """Have the aliases and lifecycles say who is champion; done again, it comes to the same.

    The champion goes first, for that is what readers follow; the mark goes last.
    """
    client = registry.client
    with speaking_to(registry.uri, f"making version {champion} of {MODEL} the champion"):
        for left in reversed(range(ROUNDS)):
            try:
                _follow(client, champion, previous, mark)
                break
            except MlflowException as error:
                # Of two who follow at once, MLflow refuses the one whose row it had not found and then cannot insert:
                # "UNIQUE constraint failed", a 400. Looking again, the other's row is there.
                if not left or error.error_code != COLLIDED:
                    raise


def _follow(client: MlflowClient, champion: int | None, previous: int | None, mark: str) -> None:
    standing = _read(client)
    _point(client, CHAMPION, standing.champion, champion)
    _point(client, PREVIOUS, standing.previous, previous)
    if champion is not None and standing.challenger == champion:
        _point(client, CHALLENGER, champion, None)
    _live(client, champion)
    client.set_registered_model_tag(MODEL, MARK, mark)


def retire(registry: Registry, number: int) -> None:
    """Archive a version, which is then no longer the challenger."""
    client = registry.client
    with speaking_to(registry.uri, f"archiving version {number} of {MODEL}"):
        if _read(client).challenger == number:
            _point(client, CHALLENGER, number, None)
        client.set_model_version_tag(MODEL, str(number), LIFECYCLE, "Archived")


def _live(client: MlflowClient, champion: int | None) -> None:
    in_production: Lifecycle = "Production"
    for entry in client.search_model_versions(f"name = '{MODEL}' and tags.`{LIFECYCLE}` = '{in_production}'"):
        if int(entry.version) != champion:
            client.set_model_version_tag(MODEL, str(entry.version), LIFECYCLE, "Archived")
    if champion is not None:
        client.set_model_version_tag(MODEL, str(champion), LIFECYCLE, in_production)


def _point(client: MlflowClient, alias: str, now: int | None, wanted: int | None) -> None:
    if wanted is None:
        if now is not None:
            client.delete_registered_model_alias(MODEL, alias)
    elif now != wanted:
        client.set_registered_model_alias(MODEL, alias, str(wanted))


def _read(client: MlflowClient) -> Aliases:
    try:
        model = client.get_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return Aliases()
    numbers_by_alias = {name: int(number) for name, number in dict(model.aliases).items()}
    numbers = {name: numbers_by_alias[name] for name in (CHAMPION, PREVIOUS, CHALLENGER) if name in numbers_by_alias}
    return Aliases(**numbers, mark=model.tags.get(MARK, ""))
