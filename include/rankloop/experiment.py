"""Which buyers are shown our rankings, and which the shop's own, so that the two can be compared."""

import numpy as np
import numpy.typing as npt

ACCOUNTS_AT_ONCE = 1 << 32


def is_control(accounts: npt.ArrayLike, share: float) -> npt.NDArray[np.bool_]:
    """Whether each of these buyers stays on the shop's own ranking: the same answer whenever and wherever asked.

    `share` is that of the control group; a larger one keeps everybody who was in it.
    """
    mixed = np.asarray(accounts, dtype=np.uint64)
    # Account ids run in order, and groups of buyers follow from their last digit: neither may decide who is control.
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(32)) < share * ACCOUNTS_AT_ONCE)
