"""Tells those who decide that an answer is wanted, and where to give it."""

from datetime import datetime

from rankloop.champions.current import reconcile_aliases
from rankloop.errors import RankloopError
from rankloop.mongo import connect
from rankloop.promotion.deciding import WANTED, decided
from rankloop.promotion.request import Request, request_of
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.state.alerts import raise_alert


class AlreadyDecidedError(RankloopError):
    """Nobody is asked twice."""


def write_request(settings: Settings, number: int) -> Request:
    """The request about this version, which nobody has decided about yet."""
    with connect(settings.mongo) as client:
        standing = decided(reconcile_aliases(client, Registry(settings.mlflow)), number)
    if standing:
        raise AlreadyDecidedError(
            f"version {number} was {standing.decision} on {standing.at} by {standing.who}, and is not asked about "
            "again: `rankloop ledger show` has why. To have it judged anew, train again."
        )
    return request_of(settings, number)


def tell(settings: Settings, number: int, subject: str, link: str, now: datetime) -> str:
    """Raise the alert that an answer is wanted; what it says."""
    message = (
        f"{subject} Answer within {settings.promotion.answer_within_days:g} days, as "
        f"{' or '.join(settings.promotion.approvers)}: {link}"
    )
    with connect(settings.mongo) as client:
        raise_alert(client, WANTED, f"version {number}", message, now)
    return message
