"""What a feature is, as its family declares it; a feature that no family declares any more is nothing in particular."""

from rankloop.features.catalogue import feature_named


def counts_traffic(name: str) -> bool:
    """Return whether a feature rises and falls with the traffic of the whole shop."""
    feature = feature_named(name)
    return feature is not None and feature.counts_traffic


def is_code(name: str) -> bool:
    """Return whether a feature's values are codes."""
    feature = feature_named(name)
    return feature is not None and feature.kind == "code"


def is_amount(name: str) -> bool:
    """Return whether a feature is an amount in some unit."""
    feature = feature_named(name)
    return feature is not None and feature.kind == "amount"
