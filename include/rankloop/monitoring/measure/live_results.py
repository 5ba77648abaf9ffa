"""Measures live metrics: control against personalised, policy by policy, with confidence intervals.

`monitoring/live_results` has a row an arm, policy, surface and metric; `all` stands for any policy or surface. The arm
is the buyer's, by `is_control`, whatever a list of theirs was ranked by: the arms are then alike but for what was shown
to them. Rows of the arm `difference` are personalised less control. Intervals are drawn by buyer, since the lists of
one buyer resemble each other. A day is judged once the events of the day after it are there, and a day on which nobody
was shown a ranking of ours has no personalised arm.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.context import Context
from rankloop.contracts.lake import CLEANED, DAY
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.experiment import is_control
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.buyer_totals import NAMES, BuyerTotals, buyer_totals
from rankloop.ranking.comparison import Bootstrap, draws
from rankloop.ranking.metrics import Floats, Tally, divide

LIVE = "monitoring/live_results"
CONTROL, PERSONALISED, DIFFERENCE = "control", "personalised", "difference"
ALL = "all"
BOOTSTRAP = Bootstrap(by="buyer")
SCHEMA = pa.schema(
    {
        DAY: pa.date32(),
        "arm": pa.string(),
        "policy": pa.string(),
        "surface": pa.string(),
        "metric": pa.string(),
        "k": pa.int32(),
        "value": pa.float64(),
        "low": pa.float64(),
        "high": pa.float64(),
        "lists": pa.int64(),
        "buyers": pa.int64(),
    }
)

Row = dict[str, Any]


@dataclass(frozen=True)
class ArmResult:
    """The metrics of one arm's lists by one policy on one surface, and the same metrics resampled."""

    policy: str
    surface: str
    tally: Tally
    lists: int
    buyers: int
    resampled: Floats


def measure_live_results(context: Context, day: date) -> dict[str, Any]:
    """Write the live results of a day's lists, or return why they cannot be known yet."""
    lake = context.lake
    if why := why_incomplete(lake, day):
        return {"skipped": why}
    sums = buyer_totals(context.engine, lake, day)
    rows = live_results(sums, context.settings.experiment.control_share, day)
    table = pa.Table.from_pylist(rows, pa.schema(field for field in SCHEMA if field.name != DAY))
    written = lake.replace_day(LIVE, day, table, SCHEMA)
    return {"rows": written.rows, "version": written.version, "digest": written.digest}


def why_incomplete(lake: Lake, day: date) -> str:
    """Return why the reactions to the day's lists are not complete yet, or nothing."""
    there, after = lake.days(CLEANED), day + timedelta(days=1)
    if day not in there:
        return f"the events of {day} are not in the lake"
    if after not in there:
        return f"lists of {day} may be answered until the end of {after}, whose events are not in the lake yet"
    return ""


def live_results(sums: BuyerTotals, control_share: float, day: date) -> list[Row]:
    """Return the rows of a day."""
    control = is_control(sums.account, control_share)
    arms = {CONTROL: sums.take(control)}
    if (sums.policy[~control] != BASE_POLICY).any():
        arms[PERSONALISED] = sums.take(~control)
    results = {arm: _results(part, f"{arm} {day}") for arm, part in arms.items() if len(part)}
    rows = [row for arm, found in results.items() for one in found.values() for row in _rows(arm, one)]
    for place, ours in results.get(PERSONALISED, {}).items():
        if place[0] == ALL and (base := results.get(CONTROL, {}).get(place)):
            rows += _difference(ours, base)
    return rows


def _results(sums: BuyerTotals, stream: str) -> dict[tuple[str, str], ArmResult]:
    """Return the results of one arm by policy and surface, with the same bootstrap draws of buyers for each."""
    buyers = np.unique(sums.account)
    places = [(policy, surface) for policy in _and_all(sums.policy) for surface in _and_all(sums.surface)]
    parts = {place: part for place in places if len(part := _at(sums, *place))}
    tallies = {place: part.by_buyer(buyers) for place, part in parts.items()}
    columns = np.concatenate([side for tally in tallies.values() for side in (tally.part, tally.whole)], axis=1)
    added = np.empty((BOOTSTRAP.resamples, columns.shape[1]))
    random = np.random.default_rng([BOOTSTRAP.seed, zlib.crc32(stream.encode())])
    for start, drawn in draws(random, len(buyers), BOOTSTRAP.resamples):
        added[start : start + len(drawn)] = drawn @ columns
    shares = (divide(part, whole) for part, whole in _pairs(added))
    return {
        place: ArmResult(*place, tallies[place], int(part.lists.sum()), len(np.unique(part.account)), share)
        for (place, part), share in zip(parts.items(), shares, strict=True)
    }


def _and_all(words: np.ndarray[Any, Any]) -> list[str]:
    return [ALL, *np.unique(words).tolist()]


def _at(sums: BuyerTotals, policy: str, surface: str) -> BuyerTotals:
    return sums.take(((sums.policy == policy) | (policy == ALL)) & ((sums.surface == surface) | (surface == ALL)))


def _pairs(columns: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Parts and wholes, as they lie side by side."""
    sides = np.split(columns, columns.shape[1] // len(NAMES), axis=1)
    return zip(sides[::2], sides[1::2], strict=True)


def _rows(arm: str, result: ArmResult) -> Iterator[Row]:
    values = np.array(list(result.tally.means().values()))
    return _written(arm, result, values, result.resampled, (result.lists, result.buyers))


def _difference(ours: ArmResult, base: ArmResult) -> Iterator[Row]:
    values = np.array([ours.tally.means()[name] - base.tally.means()[name] for name in NAMES])
    counted = (ours.lists + base.lists, ours.buyers + base.buyers)
    return _written(DIFFERENCE, ours, values, ours.resampled - base.resampled, counted)


def _written(arm: str, place: ArmResult, values: Floats, resampled: Floats, counted: tuple[int, int]) -> Iterator[Row]:
    """Yield a row for each metric that has a value and an interval."""
    tail = (1 - BOOTSTRAP.confidence) / 2
    for column, name in enumerate(NAMES):
        if np.isnan(values[column]) or np.isnan(resampled[:, column]).all():
            continue
        low, high = np.nanquantile(resampled[:, column], [tail, 1 - tail])
        metric, _, k = name.partition("@")
        yield {
            "arm": arm,
            "policy": place.policy,
            "surface": place.surface,
            "metric": metric,
            "k": int(k) if k else None,
            "value": float(values[column]),
            "low": float(low),
            "high": float(high),
            "lists": counted[0],
            "buyers": counted[1],
        }
