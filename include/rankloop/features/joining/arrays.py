"""Joins lists in this process: what `SetJoiner` gives, as blocks of a ranker's matrix.

Threads join whole buyers' rows side by side and run the task on them, so none waits for another. In memory are the
features of the lists' buyers and products (see `FeatureIndex`), and a few pieces of the lists.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from rankloop.engine.protocol import Engine
from rankloop.features.declarations import BUYER_KEY
from rankloop.features.joining.index import FeatureIndex
from rankloop.features.joining.protocol import (
    ALL_BUYERS,
    LIST_COLUMNS,
    BuyerShard,
    JoinedRows,
    Matrix,
    Reduce,
    RowTask,
    buyer_shards,
    unreduced,
)
from rankloop.features.joining.store import FeatureStore

PIECE_ROWS = 1 << 16
"""Rows that a thread joins at a time."""


class ArrayJoiner:
    """Joins lists with the features as of a day from arrays in memory."""

    def __init__(  # noqa: PLR0913  (what is joined, with what, and how much of it)
        self,
        engine: Engine,
        store: FeatureStore,
        lists: ir.Table,
        as_of: date,
        *,
        shard: BuyerShard = ALL_BUYERS,
        next_day: Collection[str] = (),
    ) -> None:
        store.validate(lists.columns, next_day)
        self._engine, self._store, self._as_of, self._next_day = engine, store, as_of, tuple(next_day)
        self._lists = shard.take(engine, lists)

    def rows(self, features: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the lists, in no order: their own columns, and these features in 32 bits."""
        for table in self.map_rows(CollectRows(tuple(features), self._lists.schema().to_pyarrow())):
            yield from table.to_batches()

    def map_rows(self, task: RowTask, reduce: Reduce = unreduced) -> Iterator[pa.Table]:
        """Yield the reduced result of the task, some whole buyers at a time."""
        shards = buyer_shards(self._engine, self._lists)
        if not shards:
            return
        join, threads = self._join(task), self._store.settings.threads

        def run(rows: pa.Table) -> pa.Table:
            return reduce(pa.Table.from_batches(task.run(iter([join(rows)])), task.result))

        with ThreadPoolExecutor(threads, initializer=task.start_thread) as pool:
            pieces = (piece for shard in shards for piece in _whole_buyers(self._read(shard, task)))
            yield from _ahead(pool, run, pieces, threads)

    def _join(self, task: RowTask) -> Callable[[pa.Table], JoinedRows]:
        """Return what joins rows of whole lists with the features that a task takes."""
        index = partial(FeatureIndex, self._engine, self._store, self._lists)
        names = tuple(task.features)
        # What the lists bring is taken from them; the rest are features in full width.
        full_width = pa.schema([field for field in task.columns if field.name not in self._lists.columns])
        later = [name for name in names if name in self._next_day]
        if not later:
            return index(self._as_of, names, full_width, task.transform).join
        now = index(self._as_of, names, full_width, as_it_is).join
        then = index(self._as_of + timedelta(days=1), later, pa.schema([]), as_it_is).join
        places = [names.index(name) for name in later]

        def join(rows: pa.Table) -> JoinedRows:
            joined, refreshed = now(rows), then(rows)
            return JoinedRows(joined.columns, _refreshed(task, joined.blocks, refreshed.blocks, places))

        return join

    def _read(self, shard: BuyerShard, task: RowTask) -> pa.Table:
        """Return the rows of a shard, buyer after buyer, with what a list must have and what the task asks for."""
        lists, own = self._lists, self._lists.schema().to_pyarrow()
        names = dict.fromkeys([*LIST_COLUMNS, *(name for name in task.columns.names if name in own.names)])
        mine = lists if shard.of == 1 else lists.filter(lists[BUYER_KEY] % shard.of == shard.number)
        schema = pa.schema([own.field(name) for name in names])
        return self._engine.batches(mine, schema, [BUYER_KEY]).read_all().combine_chunks()


def as_it_is(_feature: str, values: Matrix) -> Matrix:
    """Return a feature's values as they are."""
    return values


def _refreshed(
    task: RowTask, blocks: Iterator[Matrix], later: Iterator[Matrix], places: Sequence[int]
) -> Iterator[Matrix]:
    """Yield the blocks with these columns of the next day, where the day itself knows them."""
    for block, values in zip(blocks, later, strict=True):
        block[:, places] = np.where(np.isnan(block[:, places]), np.float32(np.nan), values)
        for number, name in enumerate(task.features):
            block[:, number] = task.transform(name, block[:, number])
        yield block


def _whole_buyers(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield rows that lie in the order of their buyers, some whole buyers at a time."""
    buyer, first = rows[BUYER_KEY].to_numpy(), 0
    while first < len(buyer):
        last = buyer[min(first + PIECE_ROWS, len(buyer)) - 1]
        after = int(np.searchsorted(buyer, last, side="right"))
        yield rows.slice(first, after - first)
        first = after


def _ahead(
    pool: ThreadPoolExecutor, run: Callable[[pa.Table], pa.Table], pieces: Iterable[pa.Table], threads: int
) -> Iterator[pa.Table]:
    """Yield the results in the order of the pieces; each thread has one, and one more waits for a free thread."""
    under_way: deque[Future[pa.Table]] = deque()
    for piece in pieces:
        under_way.append(pool.submit(run, piece))
        if len(under_way) > threads:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


@dataclass(frozen=True)
class CollectRows:
    """Returns the rows themselves."""

    features: tuple[str, ...]
    columns: pa.Schema

    @property
    def result(self) -> pa.Schema:
        """Return the lists' own columns and the features."""
        return pa.schema([*self.columns, *((name, pa.float32()) for name in self.features)])

    def transform(self, _feature: str, values: Matrix) -> Matrix:
        """Return the values as they are."""
        return values

    def start_thread(self) -> None:
        """Do nothing: no thread is like another."""

    def run(self, joined: Iterator[JoinedRows]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with their features."""
        for columns, blocks in joined:
            first = 0
            own = columns.select(self.columns.names).combine_chunks()
            for block in blocks:
                # The next block may overwrite this one, so its columns have to be copies.
                values = [pa.array(column, from_pandas=True) for column in block.T.copy()]
                [batch] = own.slice(first, len(block)).to_batches()
                yield pa.RecordBatch.from_arrays([*batch.columns, *values], schema=self.result)
                first += len(block)
