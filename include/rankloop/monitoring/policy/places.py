"""Where a problem sits: the shops and segments that the newest measures single out."""

from collections.abc import Iterable

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.tables import CONCEPT, PERFORMANCE, QUALITY
from rankloop.monitoring.policy.finding import ALL, Finding, Row, Rows, has_value
from rankloop.monitoring.policy.next_steps import MAX_PLACES
from rankloop.monitoring.policy.wording import measure_name

SHOP = "shop"
"""The signal of rows that name a shop behind the measure (`rankloop.monitoring.measure.quality`)."""
PRICE_FAULTS = {"jumped": "jumped", "off_scale": "off scale"}
"""By measure, in words; the surer first: prices that are another unit may still be near others of their category."""


def affected_shops(findings: Iterable[Finding], rows: Rows) -> list[str]:
    """Return the shops whose prices are off, on the newest day on which prices jumped, or else were off scale."""
    newest = {
        finding.measure: max(finding.days)
        for finding in findings
        if finding.table == QUALITY and finding.measure in PRICE_FAULTS
    }
    for measure, what in PRICE_FAULTS.items():
        shops = [
            (row["value"] * row["rows"], row["measure"].partition(" ")[2], row["rows"])
            for row in rows.get(QUALITY, ())
            if row["signal"] == SHOP and row[DAY] == newest.get(measure) and row["measure"].startswith(f"{measure} ")
        ]
        if shops:
            shops.sort(key=lambda shop: (-shop[0], shop[1]))
            return [f"shop {shop}: {hits:,.0f} of {count:,} prices {what}" for hits, shop, count in shops]
    return []


def worst_segments(rows: Rows) -> dict[str, str]:
    """Return by segment the worst of the newest day: where the whole interval lies away from what is expected."""
    segments = [
        (-abs(row["value"]), row["subject"], f"{row['value']:+.0%} clicks against the expected")
        for row in _segments(rows.get(CONCEPT, ()), "residual")
        if row["low"] > 0 or row["high"] < 0
    ]
    for row in _segments(rows.get(PERFORMANCE, ()), "reranked"):
        if has_value(row["expected"]) and row["high"] < row["expected"]:
            fall = row["value"] / row["expected"] - 1
            segments.append((fall, row["subject"], f"{measure_name(row['measure'])} {fall:+.0%} against the promised"))
    worst: dict[str, str] = {}
    for _, segment, text in sorted(segments):
        worst.setdefault(segment, f"{segment}: {text}")
    return dict(list(worst.items())[:MAX_PLACES])


def _segments(rows: Iterable[Row], signal: str) -> list[Row]:
    """Return the segment rows of a signal's newest day that have an interval."""
    of_signal = [row for row in rows if row["signal"] == signal and has_value(row["value"])]
    newest = max((row[DAY] for row in of_signal), default=None)
    with_interval = (row for row in of_signal if has_value(row["low"]) and has_value(row["high"]))
    return [row for row in with_interval if row[DAY] == newest and row["subject"] != ALL]
