"""The quick order is that of all three keys."""

import numpy as np
import pytest

from rankloop.features.order import ranks_within_groups, sort_within_groups


@pytest.mark.parametrize("digits", [1, 9, 17])
def test_rows_are_in_the_order_of_group_score_and_product(digits: int) -> None:
    random = np.random.default_rng(digits)
    groups, products = random.integers(0, 40, 5000), random.permutation(5000)
    # In nine digits many are equal in single precision alone.
    scores = (random.random(5000) - 0.5).round(digits) * random.choice([1e-3, 1.0, 1e9], 5000)
    scores[:9] = [0.0, -0.0, 0.0, -0.0, np.nan, np.inf, -np.inf, 1e-60, -1e-60]
    groups[:9] = 7
    expected = np.lexsort((products, -scores, groups))
    assert sort_within_groups(groups, scores, products).tolist() == expected.tolist()
    assert sort_within_groups(groups[:0], scores[:0], products[:0]).tolist() == []


def test_ranks_begin_anew_in_each_group() -> None:
    assert ranks_within_groups(np.array([2, 0, 3])).tolist() == [1, 2, 1, 2, 3]
