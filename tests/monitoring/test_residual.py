"""Clicks against those promised, now and on the test lists: a segment that was off before has not moved."""

import numpy as np
import pytest

from rankloop.monitoring.measure.concept import relative_calibration
from rankloop.ranking.metrics import Ints, Tally

Side = tuple[Tally, Ints]


def lists(rate: float, promised: float, *, count: int, seed: int) -> Side:
    """Lists of so many buyers in which so many clicks came where so many were promised."""
    draw = np.random.default_rng(seed)
    came, expected = draw.poisson(rate, count).astype(float)[:, None], np.full((count, 1), promised)
    return Tally(("calibration",), came, expected), np.arange(count) // 2


def test_a_segment_that_was_off_on_its_test_lists_is_not_off_now() -> None:
    value, low, high = relative_calibration(
        "category=1", lists(1.3, 1.0, count=300, seed=1), lists(1.3, 1.0, count=2000, seed=2)
    )
    assert low < 0 < high
    assert value == pytest.approx(0, abs=0.2)


def test_a_segment_that_has_moved_since_is_off() -> None:
    value, low, _ = relative_calibration(
        "category=1", lists(1.9, 1.0, count=300, seed=1), lists(1.3, 1.0, count=2000, seed=2)
    )
    assert value == pytest.approx(1.9 / 1.3 - 1, abs=0.15)
    assert low > 0.2


@pytest.mark.parametrize("seed", range(5))
def test_few_test_lists_make_it_less_sure(seed: int) -> None:
    now = lists(1.6, 1.0, count=300, seed=seed)
    few, many = (relative_calibration("all", now, lists(1.0, 1.0, count=count, seed=seed)) for count in (40, 4000))
    assert few[2] - few[1] > 1.3 * (many[2] - many[1])


def test_no_click_at_all_is_as_few_as_there_can_be() -> None:
    value, *_ = relative_calibration("all", lists(0.0, 1.0, count=50, seed=1), lists(1.0, 1.0, count=500, seed=2))
    assert value == -1
