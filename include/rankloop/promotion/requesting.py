"""Requests an approval: checks that none was decided yet, and notifies those who may approve."""

from rankloop.champions.current import reconcile_aliases
from rankloop.context import Context
from rankloop.errors import RankloopError
from rankloop.promotion.decision import APPROVAL_WANTED, existing_decision
from rankloop.promotion.request import PromotionRequest, build_request
from rankloop.state.alerts import raise_alert


class AlreadyDecidedError(RankloopError):
    """A version whose promotion was decided already."""


def create_request(context: Context, number: int) -> PromotionRequest:
    """Return the request to promote this version; raise an error if the version was decided already."""
    decision = existing_decision(reconcile_aliases(context.state, context.registry), number)
    if decision:
        raise AlreadyDecidedError(
            f"version {number} was {decision.decision} on {decision.at} by {decision.who}, and approval is not "
            "requested again: `rankloop ledger show` has the reason. Train again for a new version."
        )
    return build_request(context.registry, number)


def notify_approvers(context: Context, number: int, subject: str, link: str) -> str:
    """Raise the alert that an approval is wanted, and return its message."""
    promotion = context.settings.promotion
    message = (
        f"{subject} Answer within {promotion.answer_within_days:g} days, as {' or '.join(promotion.approvers)}: {link}"
    )
    raise_alert(context.state, APPROVAL_WANTED, f"version {number}", message, context.clock())
    return message
