"""Scans a day's lists as the champion sees them: counts every row and samples some, in one pass where the rows are.

The lists are those that the shop itself ranked, of the control group where there is one, as in the reference. They have
the features of the day before, as in training. What is read off the catalogue or an address is of the day itself: a
batch is scored by it that same evening, and nothing in it knows the reactions to the lists. Where the day before did
not know the product or buyer yet, it stays unknown, as it is in training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.engine.protocol import Engine, count_rows
from rankloop.experiment import is_control
from rankloop.features.joining.joiners import joiner_for
from rankloop.features.joining.protocol import LIST_COLUMNS, BuyerShard, JoinedRows, Matrix
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.histogram import (
    ColumnCounts,
    count_column,
    deserialise_counts,
    merge_counts,
    serialise_counts,
)
from rankloop.monitoring.measure.reference import SCORE, Reference
from rankloop.monitoring.measure.value_bins import ValueBins
from rankloop.ranking.blocks import buyer_groups, row_draws
from rankloop.scoring.scorer import Scorer

PORTION_ROWS = 1 << 19
"""Rows joined with features at a time: about a gigabyte."""
KEYS = pa.schema({"request_id": pa.string(), "product_id": pa.int64(), "account_id": pa.int64()})
ACCOUNTS = pa.schema({"account_id": pa.int64()})
HEX_DIGITS = 8


@dataclass(frozen=True)
class ScanInput:
    """Lists of a day, and how many rows they have."""

    table: ir.Table
    rows: int


@dataclass(frozen=True)
class ScanResult:
    """The histograms of a day's rows, and a sample of them."""

    rows: int
    counted: tuple[ColumnCounts, ...]
    """By column of the reference."""
    sample: pa.Table
    """Some rows, in a fixed order: `buyer_group` and the columns."""


@dataclass(frozen=True)
class CountRows:
    """Counts every joined row, and yields some of them with what all of them came to."""

    scorer: Scorer
    measured: tuple[str, ...]
    """The columns of the reference: features and the score."""
    bins: tuple[ValueBins, ...]
    """By column, its bins."""
    share: float
    """Of the rows that are kept."""

    @property
    def features(self) -> tuple[str, ...]:
        """Return the features that the model takes."""
        return self.scorer.features

    @property
    def columns(self) -> pa.Schema:
        """Return the keys of a row."""
        return KEYS

    @property
    def kept(self) -> pa.Schema:
        """Return the columns of the rows that are kept."""
        columns = [(name, pa.float32()) for name in self.measured]
        return pa.schema([("draw", pa.int64()), ("buyer_group", pa.int64()), *columns])

    @property
    def result(self) -> pa.Schema:
        """Return the same, and in the last row of each run what all of its rows came to."""
        return self.kept.append(pa.field("counted", pa.binary()))

    def transform(self, _feature: str, values: Matrix) -> Matrix:
        """Return the values as they are: drift is measured of them before preprocessing."""
        return values

    def start_thread(self) -> None:
        """Keep the ranker from starting threads of its own beside the others."""
        self.scorer.model.ranker.use_single_thread()

    def run(self, joined: Iterator[JoinedRows]) -> Iterator[pa.RecordBatch]:
        """Count every row, yield some, and last of all what was counted."""
        counted = [count_column(bins, np.empty(0, np.float32)) for bins in self.bins]
        for columns, blocks in joined:
            keys, first = columns.combine_chunks(), 0
            for block in blocks:
                [mine] = keys.slice(first, len(block)).to_batches()
                first += len(block)
                rows = self._measured(mine, block)
                for number, name in enumerate(self.measured):
                    values = rows[name].to_numpy(zero_copy_only=False)
                    counted[number] = merge_counts(counted[number], count_column(self.bins[number], values))
                kept = rows.filter(pa.array(row_draws(mine) <= self.share * 2.0**64))
                yield kept.append_column("counted", pa.nulls(kept.num_rows, pa.binary()))
        last = {name: pa.nulls(1, self.result.field(name).type) for name in self.result.names}
        yield pa.RecordBatch.from_pydict(
            {**last, "counted": pa.array([serialise_counts(counted)], pa.binary())}, self.result
        )

    def _measured(self, keys: pa.RecordBatch, block: Matrix) -> pa.RecordBatch:
        """Return the rows with the columns of the reference."""
        # The next block may overwrite this one, so its columns have to be copies.
        arrays = [pa.array(column, from_pandas=True) for column in block.T.copy()]
        features = pa.RecordBatch.from_arrays(arrays, names=list(self.features))
        columns = {name: features[name] for name in self.measured if name != SCORE}
        columns |= {
            "draw": pa.array(row_draws(keys).view(np.int64)),
            "buyer_group": pa.array(buyer_groups(keys["account_id"])),
            SCORE: pa.array(self.scorer.model.score(features)).cast(pa.float32()),
        }
        return pa.RecordBatch.from_pydict({name: columns[name] for name in self.kept.names}, self.kept)


def scan_lists(  # noqa: PLR0913, PLR0917  (what is scanned, with what, and how much of it is kept)
    engine: Engine, store: FeatureStore, day: date, reference: Reference, lists: ScanInput, sample_rows: int
) -> ScanResult:
    """Count the rows of these lists of a day and draw about so many of them, in bounded memory."""
    share = min(1.0, sample_rows / max(lists.rows, 1))
    task = CountRows(reference.scorer, reference.columns, reference.bins, share)
    snapshot = {feature.name for feature in store.features if feature.snapshot}
    standing = [name for name in task.features if name in snapshot]
    counted, kept = None, []
    shards = max(1, -(-lists.rows // PORTION_ROWS))
    for number in range(shards):
        shard = BuyerShard(number, shards)
        joiner = joiner_for(engine, store, lists.table, day - timedelta(days=1), shard=shard, next_day=standing)
        for result in joiner.map_rows(task):
            kept.append(result.filter(pc.is_null(result["counted"])).select(task.kept.names))
            for content in result["counted"].drop_null():
                part = deserialise_counts(task.bins, content.as_py())
                counted = part if counted is None else [merge_counts(*pair) for pair in zip(counted, part, strict=True)]
    sample = pa.concat_tables([task.kept.empty_table(), *kept]).sort_by("draw").drop("draw")
    return ScanResult(lists.rows, tuple(counted or ()), sample)


def comparable_lists(
    engine: Engine, lake: Lake, day: date, control_share: float, at_most: int | None = None
) -> ScanInput:
    """Return the day's lists that the reference can be compared with.

    With `at_most`, as many of the lists, whole and chosen at random, as have about that number of rows.
    """
    shown = engine.read(lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
    if control_share > 0:
        accounts = shown.select("account_id").distinct()
        control = engine.map_batches(accounts, ACCOUNTS, partial(_of_control, control_share), ACCOUNTS)
        shown = shown.semi_join(engine.materialise(control), "account_id")
    else:
        shown = shown.filter(shown["policy"] == BASE_POLICY)
    lists = engine.materialise(shown.select(*LIST_COLUMNS))
    rows = count_rows(engine, lists)
    if at_most is None or rows <= at_most:
        return ScanInput(lists, rows)
    limit = f"{int(at_most / rows * 16**HEX_DIGITS):0{HEX_DIGITS}x}"
    some = engine.materialise(lists.filter(lists["request_id"].hexdigest("md5").substr(0, HEX_DIGITS) < limit))
    return ScanInput(some, count_rows(engine, some))


def _of_control(share: float, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(pa.array(is_control(batch["account_id"].to_numpy(), share)))
