"""Connections to the marketplace's MongoDB."""

from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from rankloop.errors import TransientError

Client = MongoClient[dict[str, Any]]

MARKETPLACE = "marketplace"
"""The shop's own database; only the simulator ever writes to it."""
OUTPUT = "rankloop"
"""What Rankloop writes: quarantine, alerts, rankings, the ledger."""


class MarketplaceDownError(TransientError):
    """MongoDB does not answer, or does not let us in."""


def connect(uri: str, *, patience_s: float = 5.0) -> Client:
    """A client of the MongoDB at this address, which has answered once; the caller closes it."""
    try:
        client: Client = MongoClient(uri, serverSelectionTimeoutMS=int(patience_s * 1000), tz_aware=True)
    except (ConfigurationError, ValueError) as error:
        raise MarketplaceDownError(f"the MongoDB address {_address(uri)} cannot be used: {error}") from None
    try:
        client.admin.command("ping")
    except OperationFailure as error:
        client.close()
        raise MarketplaceDownError(
            f"MongoDB at {_address(uri)} refused us: {error.details or error}. "
            "Check the user and password in RANKLOOP_MONGO_URI."
        ) from None
    except PyMongoError:
        client.close()
        raise MarketplaceDownError(
            f"MongoDB at {_address(uri)} does not answer within {patience_s:g} s. "
            "The embedded one is started by `make start`, while RANKLOOP_MONGO_URI is not set; "
            "a MongoDB of your own has to run and be reachable from here."
        ) from None
    return client


def _address(uri: str) -> str:
    """The address without user and password, which must not reach a message."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
