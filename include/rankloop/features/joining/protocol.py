"""Join lists with the features as of a day: one protocol for every engine.

There are two implementations. `SetJoiner` joins tables, in DuckDB or on a Spark cluster; `ArrayJoiner` gathers the same
numbers from arrays in this process. From one declaration of a feature both follow, to the same bits.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.engine.protocol import Engine, count_rows
from rankloop.errors import RankloopError
from rankloop.features.declarations import BUYER_KEY

LIST_COLUMNS = ("request_id", "account_id", "product_id", "ts", "surface", "base_score")
"""What a row of a list must have; a request shows a product once, to one buyer. Other columns pass through."""
SHARD_ROWS = 1 << 18
"""Rows of lists that are read or joined at a time."""
Matrix = npt.NDArray[np.float32]
Transform = Callable[[str, Matrix], Matrix]
"""Prepares values of a feature, each by itself, for a ranker."""


class JoinError(RankloopError):
    """Lists that cannot be joined with the features of a day."""


class BuyerShard(NamedTuple):
    """One of `of` shards of the buyers, counted from 0; a list is whole in one of them."""

    number: int
    of: int

    def take(self, engine: Engine, table: ir.Table) -> ir.Table:
        """Return the rows of these buyers; all rows of a table that has no buyers."""
        if self.of == 1 or BUYER_KEY not in table.columns:
            return table
        return engine.shard(table, BUYER_KEY, self.number, self.of)


ALL_BUYERS = BuyerShard(0, 1)


def buyer_shards(engine: Engine, lists: ir.Table) -> list[BuyerShard]:
    """Return shards of the buyers, each with about `SHARD_ROWS` rows of these lists."""
    many = -(-count_rows(engine, lists) // SHARD_ROWS)
    # A batch is ranked by the last digit of its buyers' ids, so a number that shares a factor with ten would give
    # shards of unlike sizes.
    while many > 1 and (many % 2 == 0 or many % 5 == 0):
        many += 1
    return [BuyerShard(number, many) for number in range(many)]


class JoinedRows(NamedTuple):
    """Some rows of lists with the features that a task asks for."""

    columns: pa.Table
    """What the task asks for beside them."""
    blocks: Iterator[Matrix]
    """The features of the rows in their order, a block of rows at a time; the next block may overwrite the last."""


class RowTask(Protocol):
    """What is done with joined rows wherever they are: other processes may be sent it, and several threads run it."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features that it takes, a column of the matrix each."""
        ...

    @property
    def columns(self) -> pa.Schema:
        """What it takes beside them: columns of the lists, or features in full width."""
        ...

    @property
    def result(self) -> pa.Schema:
        """The columns of its result."""
        ...

    def transform(self, feature: str, values: Matrix) -> Matrix:
        """Prepare values of a feature, each by itself."""
        ...

    def start_thread(self) -> None:
        """Run in each thread before all else, where several run the task side by side."""
        ...

    def run(self, joined: Iterator[JoinedRows]) -> Iterator[pa.RecordBatch]:
        """Yield the result of joined rows."""
        ...


Reduce = Callable[[pa.Table], pa.Table]
"""Makes another table of a task's result over whole buyers."""


def unreduced(table: pa.Table) -> pa.Table:
    """Return a task's result as it is."""
    return table


class Joiner(Protocol):
    """Joins lists with the features as of a day; see `joiner_for`."""

    def rows(self, features: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the lists, in no order: their own columns, and these features in 32 bits."""
        ...

    def map_rows(self, task: RowTask, reduce: Reduce = unreduced) -> Iterator[pa.Table]:
        """Yield the reduced result of the task, whole buyers at a time, in bounded memory.

        Each row depends on its own list and on the day alone.
        """
        ...
