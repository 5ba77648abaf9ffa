"""Connections to MongoDB, which holds Rankloop's own state and, by default, the shop's data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from rankloop.errors import RankloopError, TransientError

Client = MongoClient[dict[str, Any]]

SHOP_DB = "marketplace"
"""The shop's own database; only the simulator ever writes to it."""
STATE_DB = "rankloop"
"""What Rankloop writes: quarantine, alerts, rankings, the ledger."""


class MongoUnavailableError(TransientError):
    """MongoDB does not answer."""


class MongoAccessError(RankloopError):
    """MongoDB denies access, or its address cannot be used: a retry would fail the same way."""


def connect(uri: str, *, patience_s: float = 5.0) -> Client:
    """Return a client that could connect and read; the caller closes it."""
    try:
        client: Client = MongoClient(uri, serverSelectionTimeoutMS=int(patience_s * 1000), tz_aware=True)
    except (ConfigurationError, ValueError, OSError) as error:
        raise MongoAccessError(
            f"the MongoDB address {_address(uri)} cannot be used: {error}. See RANKLOOP_MONGO_URI."
        ) from None
    try:
        # Anybody may ping; only who is let in may read.
        client[SHOP_DB].list_collection_names()
    except OperationFailure as error:
        client.close()
        reason = (error.details or {}).get("errmsg", error)
        raise MongoAccessError(
            f"MongoDB at {_address(uri)} refused us: {reason}. Check the user, the password and the rights to the "
            f"databases {SHOP_DB} and {STATE_DB} in RANKLOOP_MONGO_URI."
        ) from None
    except PyMongoError:
        client.close()
        raise MongoUnavailableError(
            f"MongoDB at {_address(uri)} does not answer within {patience_s:g} s. "
            "The embedded one is started by `make start`, while RANKLOOP_MONGO_URI is not set; "
            "a MongoDB of your own has to run and be reachable from here."
        ) from None
    return client


def lazy_client(uri: str) -> Client:
    """Return a client that connects when it is first used, for a server that outlives MongoDB; see `mongo_timeout`."""
    try:
        return MongoClient(uri, tz_aware=True)
    except (ConfigurationError, ValueError, OSError) as error:
        raise MongoAccessError(
            f"the MongoDB address {_address(uri)} cannot be used: {error}. See RANKLOOP_MONGO_URI."
        ) from None


@contextmanager
def mongo_timeout(uri: str, within_s: float) -> Iterator[None]:
    """Limit how long MongoDB may take within the context, and translate its errors into ours."""
    try:
        with pymongo.timeout(within_s):
            yield
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and not error.timeout:
            raise MongoAccessError(
                f"MongoDB at {_address(uri)} refused us (code {error.code}). "
                f"Check the rights to the database {STATE_DB}."
            ) from error
        raise MongoUnavailableError(
            f"MongoDB at {_address(uri)} does not answer within {within_s:g} s. See that it runs and is not overloaded."
        ) from error


def _address(uri: str) -> str:
    """Return the address without user, password and options, none of which may reach a message."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
