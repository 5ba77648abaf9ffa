"""What runs the expressions: DuckDB in this process, or a Spark cluster. Both read files and write days of the lake."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa

from rankloop.contracts.tables import Shape
from rankloop.lake.tables import Lake, Written

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""Takes rows as they come and gives others; it may be sent to other processes."""


class Engine(Protocol):
    """Knows files and expressions, and nothing of what they mean."""

    def read(self, files: Sequence[str], schema: pa.Schema) -> ir.Table:
        """The rows of these Parquet files of one table of the lake, with `dt` from their path."""
        ...

    def keep(self, table: ir.Table) -> ir.Table:
        """The same rows, worked out once."""
        ...

    def share(self, table: ir.Table, by: str, number: int, of: int) -> ir.Table:
        """The rows whose whole number in a column leaves this remainder, of so many that are asked for in turn."""
        ...

    def batches(self, table: ir.Table, schema: pa.Schema) -> pa.RecordBatchReader:
        """The rows as they come, in the columns and types of the schema, for one process to stream."""
        ...

    def through(self, table: ir.Table, takes: pa.Schema, work: Work, gives: pa.Schema) -> ir.Table:
        """What work that is not SQL makes of the rows, wherever they are; asked again, the former result is gone."""
        ...

    def write(self, lake: Lake, shape: Shape, table: ir.Table, day: date) -> Written:
        """Make these the rows of a table's day, in the order of its key."""
        ...


def count_rows(engine: Engine, table: ir.Table) -> int:
    """How many rows a table has."""
    counted = engine.batches(table.aggregate(rows=table.count()), pa.schema({"rows": pa.int64()})).read_all()
    return int(counted["rows"][0].as_py())
