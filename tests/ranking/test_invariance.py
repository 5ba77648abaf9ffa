"""Scores that hang on more than their row are found."""

import numpy as np
import pyarrow as pa
import pytest

from rankloop.ranking.invariance import InvarianceError, check_invariance

TABLE = pa.table({"x": np.random.default_rng(1).normal(size=3000)})


def x(table: pa.Table) -> np.ndarray:
    return np.asarray(table["x"].to_numpy())


def test_a_score_of_its_row_alone_passes() -> None:
    found = check_invariance(lambda table: np.tanh(x(table)), TABLE)
    assert found.passed
    found.insist()


@pytest.mark.parametrize(
    ("score", "way"),
    [
        (lambda table: x(table) - x(table).mean(), "one by one"),
        (lambda table: x(table) + np.arange(len(table)), "in reverse order"),
        (lambda table: np.cumsum(x(table)), "in random order"),
        (lambda table: np.where(len(table) == 7, np.nan, x(table)), "in batches of 7"),
        (lambda table: x(table) / max(1000, len(table)), "twice at once"),
        (lambda table: x(table) + 1e-6 * (len(table) % 1000 == 0) * (len(table) < 3000), "in batches of 1,000"),
    ],
)
def test_a_score_that_hangs_on_other_rows_is_found(score: object, way: str) -> None:
    found = check_invariance(score, TABLE)  # type: ignore[arg-type]
    assert found.largest[way] > found.tolerance
    with pytest.raises(InvarianceError, match="look for a feature or a normalisation"):
        found.insist()


def test_a_score_that_differs_from_call_to_call_is_found() -> None:
    random = np.random.default_rng(2)
    found = check_invariance(lambda table: x(table) + random.normal(size=len(table)), TABLE)
    assert found.largest["again"] > found.tolerance


def test_rounding_passes() -> None:
    found = check_invariance(lambda table: x(table) * (1 + 1e-15 * len(table)), TABLE)
    assert found.passed


def test_no_rows_pass() -> None:
    assert check_invariance(x, TABLE.slice(0, 0)).passed
