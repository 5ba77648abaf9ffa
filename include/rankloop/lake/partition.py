"""Writes a day's rows as one Parquet file: in a stream, computing the digest on the way."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rankloop.errors import RankloopError
from rankloop.lake.digest import Digest

DAY = "dt"
ROW_GROUP = 1 << 17
"""Rows that an engine's thread reads at a time."""
GROUP_BYTES = 1 << 26
"""What rows in memory may take; rows with lists in them reach this before they are so many."""

Rows = Any
"""A `pyarrow.RecordBatchReader` or `pyarrow.Table`; pyarrow ships no types."""


class RowsError(RankloopError):
    """Rows that do not fit the table they were meant for."""


def delta_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema as Delta stores it: timestamps in microseconds."""
    return pa.schema(
        field.with_type(pa.timestamp("us", field.type.tz)) if pa.types.is_timestamp(field.type) else field
        for field in schema
    )


def require_day_column(table: str, schema: pa.Schema) -> None:
    """Refuse a schema without the market day: such a table could be created, and never opened again."""
    if DAY not in schema.names or not pa.types.is_date32(schema.field(DAY).type):
        raise RowsError(f"{table}: its schema needs the column {DAY} of type date32, the market day; it has {schema}.")


def write_partition_file(sink: Any, data: Rows, schema: pa.Schema, day: date, table: str) -> Digest:  # noqa: ANN401  (any file)
    """Write the rows of the day and return their digest, which counts them too."""
    digest, inside = Digest(), pa.schema(field for field in delta_schema(schema) if field.name != DAY)
    with pq.ParquetWriter(sink, inside, compression="zstd") as writer:
        for group in _row_groups(_fitting(data, schema, day, table)):
            for batch in group.to_batches():
                digest.add(batch)
            writer.write_table(group, row_group_size=ROW_GROUP)
    return digest


def _fitting(data: Rows, schema: pa.Schema, day: date, table: str) -> Iterator[pa.RecordBatch]:
    """Return the rows cast to the table's columns, without the day, which is in the file's path."""
    missing = [name for name in schema.names if name != DAY and name not in data.schema.names]
    if missing or (extra := [name for name in data.schema.names if name not in schema.names]):
        wrong = f"have no column {', '.join(missing)}" if missing else f"have unknown columns: {', '.join(extra)}"
        raise RowsError(f"{table} {day}: the rows {wrong}. The table has {', '.join(schema.names)}.")
    for batch in data.to_batches() if isinstance(data, pa.Table) else data:
        if DAY in batch.schema.names and batch.num_rows:
            _refuse_other_days(batch.column(DAY), day, table)
        columns = [
            _cast(batch.column(field.name), field, day, table) for field in delta_schema(schema) if field.name != DAY
        ]
        yield pa.RecordBatch.from_arrays(columns, [name for name in schema.names if name != DAY])


def _refuse_other_days(days: pa.Array, day: date, table: str) -> None:
    others = {value for value in pc.unique(days).to_pylist() if value != day}
    if others:
        examples = ", ".join(sorted(map(str, others))[:3])
        raise RowsError(f"{table} {day}: rows of other days ({examples}) are among them.")


def _cast(column: pa.Array, field: pa.Field, day: date, table: str) -> pa.Array:
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RowsError(
            f"{table} {day}: column {field.name} is {column.type} and does not fit {field.type}: {error}"
        ) from None


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Concatenate batches until they are large enough for a row group."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= ROW_GROUP or size >= GROUP_BYTES:
            table = pa.Table.from_batches(waiting)
            full = rows - rows % ROW_GROUP if rows >= ROW_GROUP else rows
            yield table.slice(0, full)
            waiting = table.slice(full).to_batches()
            rows, size = rows - full, sum(batch.nbytes for batch in waiting)
    if rows:
        yield pa.Table.from_batches(waiting)
