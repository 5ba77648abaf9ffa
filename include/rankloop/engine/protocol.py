"""What runs the expressions: DuckDB in this process, or a Spark cluster. Both read files and write days of the lake."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa

from rankloop.contracts.tables import TableSpec
from rankloop.lake.commits import Definitions, WriteResult
from rankloop.lake.tables import Lake

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""Takes batches of rows and yields others; it may be sent to other processes."""


class Engine(Protocol):
    """Reads files and runs expressions, and knows nothing of what they mean."""

    @property
    def in_process(self) -> bool:
        """Return whether rows are read in this process, where joining them as arrays costs the least."""
        ...

    def read(self, files: Sequence[str], schema: pa.Schema) -> ir.Table:
        """Return the rows of these Parquet files of one table of the lake, with `dt` from their path.

        A column of the schema that a file lacks is empty for its rows: the file is older than the column.
        """
        ...

    def materialise(self, table: ir.Table) -> ir.Table:
        """Compute these rows once, for every expression that reads them."""
        ...

    def semi_join(self, table: ir.Table, key: str, of: ir.Table) -> ir.Table:
        """Compute once the rows of a materialised table whose key is in another."""
        ...

    def shard(self, table: ir.Table, by: str, number: int, of: int) -> ir.Table:
        """Return the rows whose whole number in a column leaves this remainder, of shards that are read in turn."""
        ...

    def batches(self, table: ir.Table, schema: pa.Schema, order: Sequence[str] = ()) -> pa.RecordBatchReader:
        """Stream the rows through this process, cast to the schema and ordered by these columns, if any."""
        ...

    def map_batches(self, table: ir.Table, columns: pa.Schema, function: BatchFunction, result: pa.Schema) -> ir.Table:
        """Apply a Python function to the rows, wherever they are; the next call replaces the former result."""
        ...

    def release(self) -> None:
        """Drop what was materialised, sharded and read so far, for a task that goes on with another day or shard."""
        ...

    def write(
        self, lake: Lake, spec: TableSpec, table: ir.Table, day: date, definitions: Definitions | None = None
    ) -> WriteResult:
        """Replace a table's day with these rows, in the order of its key, and note how they were computed."""
        ...


def count_rows(engine: Engine, table: ir.Table) -> int:
    """Return how many rows a table has."""
    counted = engine.batches(table.aggregate(rows=table.count()), pa.schema({"rows": pa.int64()})).read_all()
    return int(counted["rows"][0].as_py())
