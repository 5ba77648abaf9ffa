"""How likely a product is looked at by its position, learned from the training days, to take that out of their clicks.

The curve is the rate of clicks at each position against the first, made to fall and kept above a floor. It holds a
part of what the shop's own ranking is worth too, since that put the better products first; nothing in the lists of
one ranking alone can tell the two apart.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from rankloop.ranking.blocks import Block, Floats

LEAST = 0.1
"""No click counts for more than ten of those in the first place: rare clicks far down would drown the others."""


def propensities(blocks: Iterable[Block]) -> Floats:
    """By position, from 1, how likely a product is looked at, against the first position."""
    clicks, shown = np.zeros(0), np.zeros(0)
    for block in blocks:
        length = max(int(block.position.max(initial=0)) + 1, len(shown))
        clicks = _longer(clicks, length) + np.bincount(block.position, block.label > 0, length)
        shown = _longer(shown, length) + np.bincount(block.position, minlength=length)
    rate = (clicks + 1) / (shown + 1 / max(clicks.sum() / max(shown.sum(), 1), 1e-9))
    falling = np.minimum.accumulate(rate[1:]) if len(rate) > 1 else np.ones(1)
    return np.asarray(np.maximum(falling / falling[0], LEAST))


def list_weights(block: Block, curve: Floats) -> npt.NDArray[np.float64]:
    """Return the weight of each list: the mean inverse propensity of its clicked products."""
    place = np.clip(block.position - 1, 0, len(curve) - 1)
    number = np.repeat(np.arange(len(block.sizes)), block.sizes)
    clicked = block.label > 0
    total = np.bincount(number, clicked / curve[place], len(block.sizes))
    return np.asarray(total / np.maximum(np.bincount(number, clicked, len(block.sizes)), 1))


def _longer(values: Floats, length: int) -> Floats:
    return np.pad(values, (0, length - len(values)))
