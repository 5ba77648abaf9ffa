"""What a feature is, as its family declares it; a feature that no family declares any more is nothing in particular."""

from functools import cache

from rankloop.features.catalogue import FEATURES
from rankloop.features.declarations import Feature


@cache
def _by_name() -> dict[str, Feature]:
    return {feature.name: feature for feature in FEATURES}


def counts_traffic(name: str) -> bool:
    """Return whether a feature rises and falls with the traffic of the whole shop."""
    feature = _by_name().get(name)
    return feature is not None and feature.counts_traffic


def is_code(name: str) -> bool:
    """Return whether a feature's values are codes."""
    feature = _by_name().get(name)
    return feature is not None and feature.kind == "code"


def is_amount(name: str) -> bool:
    """Return whether a feature is an amount in some unit."""
    feature = _by_name().get(name)
    return feature is not None and feature.kind == "amount"
