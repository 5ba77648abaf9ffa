"""Sorts rows by group and, within a group, by score."""

import numpy as np

from rankloop.features.declarations import Floats, Ints


def sort_within_groups(groups: Ints, scores: Floats, products: Ints) -> Ints:
    """Return the order of the rows group by group, the highest score first, equal scores by product.

    NumPy sorts by one whole number several times as fast as by three keys. So group and rounded score are made one,
    and only rows that are alike in it are compared by all three.
    """
    # Zero less a score is never the negative zero, which equals the other and has other bits; NaN comes last.
    rounded = np.fmin(0.0 - scores, np.inf).astype(np.float32).view(np.int32)
    both = (groups.astype(np.int64) << 32) + (rounded ^ (rounded >> 31 & np.iinfo(np.int32).max))
    order = np.argsort(both)
    both = both[order]
    same = both[1:] == both[:-1]
    alike = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows = order[alike]
    order[alike] = rows[np.lexsort((products[rows], -scores[rows], groups[rows]))]
    return order


def ranks_within_groups(sizes: Ints) -> Ints:
    """Return the ranks, from 1 on, in groups of these sizes, one group after the other."""
    return np.arange(1, sizes.sum() + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
