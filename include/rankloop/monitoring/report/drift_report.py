"""A day's drift as a page: Evidently's report on samples of the reference and of the day's lists.

The page is for looking: every row is counted by `rankloop.monitoring.measure.drift`, and that decides. Both samples are
about `drift.report_rows` rows; the day's are whole lists chosen by a hash of their names, those of the reference are
drawn by their weights with a fixed seed. PSI is Rankloop's own, within Evidently, and its limits are those of the rule
`inputs`. Evidently leaves unknown values out.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from rankloop.context import Context
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.drift import largest_reference_deviation, no_base_lists, reference_on
from rankloop.monitoring.measure.reference import Reference
from rankloop.monitoring.measure.scan import comparable_lists, scan_lists
from rankloop.monitoring.policy.rule_set import open_policy
from rankloop.monitoring.policy.rules.input_drift import InputDriftRule
from rankloop.monitoring.report.addresses import report_link, report_path
from rankloop.monitoring.report.evidently_page import evidently_page, sample_psi

SEED = 7


def make_report(context: Context, day: date) -> dict[str, Any]:
    """Write the page of a day; return where it is, what drifted and Evidently's tests, or why there is none."""
    rule = open_policy(context.settings.monitoring).rule_of(InputDriftRule)
    reference = reference_on(context, day)
    if isinstance(reference, str):
        return {"skipped": reference}
    now = sample_day(context, day, reference)
    if not len(now):
        return {"skipped": no_base_lists(day)}
    lake, drift = context.lake, context.settings.drift
    before = sample_reference(reference, drift.report_rows)
    limits = columns_to_show(before, now, drift_limits(reference, rule), drift.report_columns)
    page, tests = evidently_page(before, now, limits)
    lake.put(report_path(day), page.encode())
    drifted = sorted(test["column"] for test in tests if test["drifted"])
    return {
        "report": f"{lake.root}/{report_path(day)}",
        "link": report_link(day),
        "drifted": drifted,
        "tests": tests,
        "rows": len(now),
        "version": reference.version,
    }


def read_report(lake: Lake, day: date) -> str | None:
    """Return the page of a day, or None if there is none."""
    content = lake.get(report_path(day))
    return None if content is None else content.decode()


def drift_limits(reference: Reference, rule: InputDriftRule) -> dict[str, float]:
    """Return by column the PSI from which it has drifted."""
    return {
        name: rule.feature_limit(largest_reference_deviation(reference, number))
        for number, name in enumerate(reference.columns)
    }


def columns_to_show(
    before: pd.DataFrame, now: pd.DataFrame, limits: Mapping[str, float], at_most: int
) -> dict[str, float]:
    """Return the limits of the columns that have drifted, and of those that moved most up to so many, in their order.

    Evidently draws each column several times: all 131 take it most of a minute, and nobody reads them.
    """
    moved = {name: sample_psi(before[name], now[name]) for name in limits}
    by_excess = sorted(limits, key=lambda name: (-moved[name] / max(limits[name], 1e-9), name))
    drifted = sum(moved[name] >= limits[name] for name in limits)
    kept = set(by_excess[: max(at_most, drifted)])
    return {name: limit for name, limit in limits.items() if name in kept}


def sample_day(context: Context, day: date, reference: Reference) -> pd.DataFrame:
    """Return complete lists of the day, about as many rows as the report takes."""
    settings, engine, rows = context.settings, context.engine, context.settings.drift.report_rows
    lists = comparable_lists(engine, context.lake, day, settings.experiment.control_share, rows)
    # All rows of the lists that are chosen are kept.
    sample = scan_lists(engine, context.feature_store, day, reference, lists, 2 * rows).sample if lists.rows else None
    return pd.DataFrame() if sample is None else sample.select(reference.columns).to_pandas()


def sample_reference(reference: Reference, rows: int) -> pd.DataFrame:
    """Return rows drawn from the reference by their weights, so that they look as what was shown."""
    share = reference.weights / reference.weights.sum()
    chosen = np.random.default_rng(SEED).choice(len(share), min(rows, len(share)), p=share)
    return pd.DataFrame({name: reference.values(name)[chosen] for name in reference.columns})
