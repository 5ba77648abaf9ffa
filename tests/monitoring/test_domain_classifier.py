"""The small classifier: a guess on what is alike, certain of what is not, and silent about too few."""

import numpy as np
import pytest

from rankloop.monitoring.measure.domain_classifier import ClassifierSample, domain_classifier_auc, rank_columns
from rankloop.monitoring.measure.histogram import count_column
from rankloop.monitoring.measure.value_bins import fit_bins


def side(shift: float, rows: int, seed: int, unknown: float = 0.0) -> ClassifierSample:
    draw = np.random.default_rng(seed)
    values = draw.normal(shift, 1, rows).astype(np.float32)
    values[draw.random(rows) < unknown] = np.nan
    reference = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    bins = fit_bins(reference, np.ones(len(reference)))
    made = rank_columns([bins], [count_column(bins, reference).cells], [values])
    return ClassifierSample(made, draw.integers(0, 20, rows), np.ones(rows))


@pytest.mark.parametrize(("shift", "unknown", "least", "most"), [(0, 0, 0.45, 0.55), (2, 0, 0.9, 1), (0, 0.5, 0.7, 1)])
def test_the_area_is_a_guess_for_what_is_alike_and_more_for_what_is_not(
    shift: float, unknown: float, least: float, most: float
) -> None:
    found = domain_classifier_auc(side(0, 3000, 1), side(shift, 1000, 2, unknown))
    assert found
    assert least <= found.low <= found.auc <= found.high <= most
    assert found == domain_classifier_auc(side(0, 3000, 1), side(shift, 1000, 2, unknown))


def test_nothing_is_said_of_a_few_rows() -> None:
    assert domain_classifier_auc(side(0, 3000, 1), side(0, 50, 2)) is None
