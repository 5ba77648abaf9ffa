"""Rows as rankers take them: matrices of whole lists, a bounded number of rows at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.lake.digest import column_hashes
from rankloop.ranking.preprocessing import Preprocessing
from rankloop.ranking.training_set import REQUEST, TrainingSet, sizes_of

Matrix = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PRODUCT = "product_id"
KEYS = (REQUEST, PRODUCT)
OWN = (*KEYS, "label", "position")
BUYER_GROUPS = 20
ODD = np.uint64(0x9E3779B97F4A7C15)


class Block(NamedTuple):
    """Some lists, list after list."""

    values: Matrix
    label: Ints
    position: Ints
    """From 1. Serves to take its own effect out of the labels, and is never among the values."""
    sizes: Ints
    """How long each list is."""
    draw: npt.NDArray[np.uint64]
    """A number a row that follows from its list and product, for draws that do not depend on how blocks were cut."""


Source = Callable[[], Iterator[Block]]
"""Gives the same blocks again each time it is called."""


@dataclass(frozen=True)
class Sample:
    """Which lists to take: about this share of them, by a hash of their names, so the same ones every time."""

    share: float = 1.0

    def taken(self, requests: pa.Array) -> npt.NDArray[np.bool_]:
        """Which rows belong to lists that are taken."""
        if self.share >= 1:
            return np.ones(len(requests), dtype=bool)
        return np.asarray(column_hashes("sample", requests) < np.uint64(self.share * 2.0**64))


EVERYTHING = Sample()


def lists_with_reaction(
    data: TrainingSet, name: str, preprocessing: Preprocessing, sample: Sample = EVERYTHING
) -> Source:
    """Return a source of a set's lists in which something was clicked; the others teach no ranking."""
    columns = [*OWN, *preprocessing.features]

    def blocks() -> Iterator[Block]:
        for _, batch in data.batches(name, columns):
            rows = batch.filter(pa.array(_reacted(batch) & sample.taken(batch[REQUEST])))
            if rows.num_rows:
                yield as_block(rows, preprocessing)

    return blocks


def as_block(rows: pa.RecordBatch, preprocessing: Preprocessing) -> Block:
    """Whole lists as a ranker takes them."""
    label, position = (_whole(rows, name) for name in ("label", "position"))
    return Block(preprocessing.apply(rows), label, position, sizes_of(rows[REQUEST]), row_draws(rows))


def row_draws(rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Return a hash of each row's list and product, for random draws that are the same in every run."""
    return column_hashes(REQUEST, rows[REQUEST]) + column_hashes(PRODUCT, rows[PRODUCT])


def buyer_groups(accounts: pa.Array) -> npt.NDArray[np.int64]:
    """Return the group of each buyer, one of `BUYER_GROUPS` by a hash: stable, and too coarse to identify anybody."""
    return np.asarray(column_hashes("group", accounts) % np.uint64(BUYER_GROUPS)).astype(np.int64)


def thinned(block: Block, negatives: int, salt: int = 0) -> Block:
    """All products with a reaction, and so many of the others of each list, other ones for every salt."""
    draw = (block.draw ^ np.uint64(salt)) * ODD
    draw ^= draw >> np.uint64(32)
    draw *= ODD
    draw[block.label > 0] = 0
    number = np.repeat(np.arange(len(block.sizes)), block.sizes)
    order = np.lexsort((draw, number))
    start = np.cumsum(block.sizes) - block.sizes
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(start, block.sizes)
    reacted = np.bincount(number, block.label > 0, len(block.sizes))
    keep = place < np.repeat(reacted + negatives, block.sizes)
    sizes = np.bincount(number[keep], minlength=len(block.sizes))
    return Block(block.values[keep], block.label[keep], block.position[keep], sizes, block.draw[keep])


def put_together(blocks: Sequence[Block], features: int) -> Block:
    """One block of several."""
    if not blocks:
        empty = np.empty(0, np.int64)
        return Block(np.empty((0, features), np.float32), empty, empty, empty, empty.astype(np.uint64))
    return Block(*(np.concatenate(part) for part in zip(*blocks, strict=True)))


def _reacted(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    sizes = sizes_of(batch[REQUEST])
    number = np.repeat(np.arange(len(sizes)), sizes)
    hits = np.bincount(number, pc.greater(batch["label"], 0).to_numpy(zero_copy_only=False), len(sizes))
    return np.asarray((hits > 0)[number])


def _whole(rows: pa.RecordBatch, name: str) -> Any:  # noqa: ANN401  (NumPy's own)
    return rows[name].to_numpy(zero_copy_only=False).astype(np.int64)
