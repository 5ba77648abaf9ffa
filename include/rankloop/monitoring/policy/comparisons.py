"""When a figure is bad: how a row and its confidence interval compare with a threshold and with what is expected."""

from statistics import NormalDist

from rankloop.monitoring.policy.finding import Row, has_value

Interval = tuple[float, float]
NORMAL = NormalDist()


def confidence_interval(row: Row, confidence: float, comparisons: int) -> Interval:
    """Return the row's interval, widened so that all comparisons together hold with the confidence of one (Bonferroni).

    Without an interval it is the value itself.
    """
    value = row["value"]
    if not (has_value(row["low"]) and has_value(row["high"])):
        return value, value
    tail = (1 - confidence) / 2
    wider = NORMAL.inv_cdf(1 - tail / max(comparisons, 1)) / NORMAL.inv_cdf(1 - tail)
    return value - (value - row["low"]) * wider, value + (row["high"] - value) * wider


def exceeds(row: Row, interval: Interval, threshold: float) -> bool:
    """Return whether all of it lies above the threshold, and above what is expected if that is more."""
    return interval[0] > max(threshold, row["expected"] if has_value(row["expected"]) else threshold)


def increased(row: Row, interval: Interval, threshold: float) -> bool:
    """Return whether it has risen above what is expected by more than the threshold."""
    return has_value(row["expected"]) and interval[0] - row["expected"] > threshold


def decreased(row: Row, interval: Interval, share: float) -> bool:
    """Return whether it has fallen below what is expected by more than this share of it."""
    return has_value(row["expected"]) and interval[1] < row["expected"] * (1 - share)


def increased_beyond_baseline(row: Row, threshold: float) -> bool:
    """Return whether it lies above the range of normal days and has risen by more than the threshold."""
    return not _within_baseline(row) and increased(row, (row["value"], row["value"]), threshold)


def decreased_beyond_baseline(row: Row, share: float) -> bool:
    """Return whether it lies below the range of normal days and has fallen by more than this share."""
    return not _within_baseline(row) and decreased(row, (row["value"], row["value"]), share)


def grown_beyond_baseline(row: Row, share: float) -> bool:
    """Return whether it lies above the range of normal days and has grown by more than this share."""
    return not _within_baseline(row) and has_value(row["expected"]) and row["value"] > row["expected"] * (1 + share)


def _within_baseline(row: Row) -> bool:
    bounds = row["low"], row["high"]
    return all(has_value(bound) for bound in bounds) and bounds[0] <= row["value"] <= bounds[1]


def changed_by_factor(row: Row, factor: float) -> bool:
    """Return whether it is another by this factor or more, up or down."""
    change = change_factor(row)
    return change is not None and not 1 / factor < change < factor


def change_factor(row: Row) -> float | None:
    """Return by what factor a value differs from what is expected; None where that means nothing."""
    value, expected = row["value"], row["expected"]
    if not has_value(value) or not has_value(expected) or value <= 0 or expected <= 0:
        return None
    return float(value / expected)
