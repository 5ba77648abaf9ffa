"""Evidently's page on two samples, with our own PSI and limits, and its test results as plain values."""

import json
from collections.abc import Mapping
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pandas as pd

from rankloop.monitoring.measure.value_bins import fit_bins, psi

METHOD = "psi_in_tenths"
DRIFT = "evidently:metric_v2:ValueDrift"


def evidently_page(
    reference: pd.DataFrame, now: pd.DataFrame, limits: Mapping[str, float]
) -> tuple[str, list[dict[str, Any]]]:
    """Return the page, and by column the PSI, its limit and whether Evidently's test failed.

    Columns of which one side knows nothing are left out; Evidently refuses them.
    """
    columns = [name for name in limits if reference[name].notna().any() and now[name].notna().any()]
    with catch_warnings():
        simplefilter("ignore")  # it warns of its own imports, and of columns that hold one value
        snapshot = _snapshot(reference[columns], now[columns], {name: float(limits[name]) for name in columns})
        page: str = snapshot.get_html_str(as_iframe=False)
    return page, _verdicts(json.loads(snapshot.json()), limits)


def _snapshot(reference: pd.DataFrame, now: pd.DataFrame, limits: dict[str, float]) -> Any:  # noqa: ANN401  (theirs)
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  (takes seconds, and few need it)
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    _register_psi()
    definition = DataDefinition(numerical_columns=list(limits))
    sides = (Dataset.from_pandas(side, data_definition=definition) for side in (now, reference))
    drift = DataDriftPreset(columns=list(limits), num_method=METHOD, per_column_threshold=limits)
    return Report([drift], include_tests=True).run(*sides)


def _verdicts(result: Mapping[str, Any], limits: Mapping[str, float]) -> list[dict[str, Any]]:
    failed = {test["metric_config"]["metric_id"] for test in result["tests"] if test["status"] == "FAIL"}
    drifts = (metric for metric in result["metrics"] if metric["config"]["type"] == DRIFT)
    return [
        {
            "column": metric["config"]["column"],
            "psi": float(metric["value"]),
            "limit": float(limits[metric["config"]["column"]]),
            "drifted": metric["id"] in failed,
        }
        for metric in drifts
    ]


def _register_psi() -> None:
    """Register our PSI with Evidently: its own has bins of equal width, in which a long tail hides all else.

    Its registry of drift methods is in its `legacy` package alone: `ValueDrift` and the presets of the current API look
    methods up there by name, and take no function.
    """
    from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest  # noqa: PLC0415
    from evidently.legacy.core import ColumnType  # noqa: PLC0415

    test = StatTest(METHOD, "PSI in tenths of the reference", [ColumnType.Numerical], 0.2)
    register_stattest(test, _psi)


def _psi(reference: pd.Series, now: pd.Series, _kind: object, limit: float) -> tuple[float, bool]:
    value = sample_psi(reference, now)
    return value, value >= limit


def sample_psi(reference: pd.Series, now: pd.Series) -> float:
    """Return our PSI of one column; 0 where a sample has no value."""
    before, after = (np.asarray(side.dropna(), dtype=np.float32) for side in (reference, now))
    if not len(before) or not len(after):
        return 0.0
    bins = fit_bins(before, np.ones(len(before)))
    counts = (np.bincount(bins.cells(side), minlength=bins.size).astype(np.float64) for side in (before, after))
    return psi(bins, *counts)
