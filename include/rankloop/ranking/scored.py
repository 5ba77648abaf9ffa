"""Lists with what was scored and what buyers made of them: what everything that judges a ranking reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.errors import RankloopError
from rankloop.ranking.metrics import Bools, Floats, Ints, Judged

TRAIN = "train"
VALID = "valid"
TESTS = ("test_0", "test_1", "test_2", "test_3")
BASE, OURS, CHAMPION = "base_score", "pscore", "champion_score"

Words = npt.NDArray[np.object_]


class ScoredListsError(RankloopError):
    """A table of scored lists that cannot be judged, and what to do about it."""


@dataclass(frozen=True)
class ScoredLists:
    """A table of scored lists, list after list; `first` and `sizes` say where each list begins and how long it is."""

    table: pa.Table
    first: Ints
    sizes: Ints

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def label(self) -> Ints:
        """What the buyer did with each product: 0 ignored, 1 clicked, 2 put into the cart, 3 ordered."""
        return np.asarray(self.table["label"].to_numpy())

    @property
    def weight(self) -> Floats:
        """How many lists each list stands for."""
        return np.asarray(self.table["weight"].to_numpy()[self.first], dtype=np.float64)

    @property
    def judged(self) -> Judged:
        """What buyers made of the lists."""
        return Judged(self.label, self.sizes, self.weight)

    @property
    def reacted(self) -> Bools:
        """Which lists have a reaction."""
        hits = np.concatenate([[0], np.cumsum(self.label > 0)])
        return np.asarray(hits[self.first + self.sizes] > hits[self.first])

    @property
    def row_weight(self) -> Floats:
        """The weight of each row's list."""
        return np.asarray(self.table["weight"].to_numpy(), dtype=np.float64)

    def score(self, ranking: str) -> Floats:
        """Return the scores of a ranking, such as `base_score`; refuse any that are not finite."""
        if ranking not in self.table.column_names:
            raise ScoredListsError(
                f"scored lists have no column {ranking}; there are {', '.join(self.table.column_names)}. "
                "Score them with that ranking first."
            )
        score = np.asarray(self.table[ranking].to_numpy(), dtype=np.float64)
        if wrong := int(np.count_nonzero(~np.isfinite(score))):
            raise ScoredListsError(
                f"{ranking} of scored lists: {wrong:,} of {len(score):,} rows are not a finite number, so they have no "
                "place in a list. A ranker has to score every row: look for features that it cannot take."
            )
        return score

    def of_list(self, column: str) -> Words:
        """Return a column that is constant within a list, one value for each list."""
        return _words(self.table[column].take(pa.array(self.first)))

    def of_row(self, column: str) -> Words:
        """Return a column of words, one value for each row."""
        return _words(self.table[column])

    def sets(self) -> tuple[str, ...]:
        """Return the names of the sets that the lists belong to: train, valid, then the test blocks by number."""
        there = set(self.of_list("set"))
        return tuple(sorted(there, key=_place))

    def tests(self) -> tuple[str, ...]:
        """The test blocks that there are, oldest first."""
        return tuple(name for name in self.sets() if name not in {TRAIN, VALID})

    def of_sets(self, *names: str) -> "ScoredLists":
        """Return the lists of these sets."""
        return self.take(np.isin(self.of_list("set").astype(str), names))

    def take(self, lists: Bools) -> "ScoredLists":
        """Return the lists that the mask selects, with all of their rows."""
        sizes = self.sizes[lists]
        rows = self.table.filter(pa.array(np.repeat(lists, self.sizes)))
        return ScoredLists(rows, np.cumsum(sizes) - sizes, sizes)


def _place(name: str) -> tuple[int, int, str]:
    """Train, valid, then the test blocks by number, as many as there are."""
    return {TRAIN: 0, VALID: 1}.get(name, 2), len(name), name


def scored_lists(table: pa.Table) -> ScoredLists:
    """Return the lists of a table, or raise an error that says why they cannot be judged."""
    needed = ("set", "dt", "request_id", "account_id", "product_id", "label", "weight", BASE, OURS)
    if missing := [name for name in needed if name not in table.column_names]:
        raise ScoredListsError(f"scored lists lack {', '.join(missing)}; they are written by scoring the training set.")
    table = _plain(table).combine_chunks()
    request = table["request_id"]
    changes = np.flatnonzero(pc.not_equal(request[1:], request[:-1]).to_numpy()) + 1 if len(table) else np.array([])
    first = np.concatenate([[0], changes]).astype(np.int64)[: len(table)]
    if (lists := pc.count_distinct(request).as_py()) != len(first):
        raise ScoredListsError(
            f"scored lists: {lists:,} lists lie in {len(first):,} pieces, but the rows of a list have to follow "
            "each other. Order the table by request_id."
        )
    return ScoredLists(table, first, np.diff(np.append(first, len(table))))


def _plain(table: pa.Table) -> pa.Table:
    """Return the table with its dictionary columns decoded, since not every Arrow function takes them."""
    types = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def _words(column: Any) -> Words:  # noqa: ANN401  (pyarrow ships no types)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)
