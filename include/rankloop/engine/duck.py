"""DuckDB in this process: bounded memory, and results that stream into the lake."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.contracts.tables import TableSpec
from rankloop.engine.protocol import BatchFunction
from rankloop.engine.spill import spill_folder
from rankloop.lake.commits import Definitions, WriteResult
from rankloop.lake.tables import Lake
from rankloop.settings.features import FeatureSettings

log = logging.getLogger(__name__)

BATCH_ROWS = 1 << 16
MAPPED = "rankloop_mapped"
SHARD = "_shard"
TYPES = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}


class DuckEngine:
    """One connection to an empty database; see `open_duck`."""

    in_process = True

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  (Ibis ships no types)
        self._ibis = connection
        self._names = (f"rankloop_{number}" for number in count())
        self._tables: dict[tuple[tuple[str, ...], pa.Schema], ir.Table] = {}
        self._shards: dict[tuple[str, str, int], Path] = {}
        self._created: list[tuple[str, str]] = []

    def read(self, files: Sequence[str], schema: pa.Schema) -> ir.Table:
        """Return the rows of these Parquet files, with `dt` from their path; columns that files lack are empty."""
        asked = (tuple(files), schema)
        if asked not in self._tables:
            how = f"hive_partitioning = true, hive_types = {{'{DAY}': DATE}}"
            if lacking := self._lacking(files, [name for name in schema.names if name != DAY]):
                how += ", union_by_name = true"
                root = files[0].partition(f"/{DAY}=")[0]
                note = ", ".join(f"{name} ({count} of {len(files)} files)" for name, count in lacking.items())
                log.warning("%s has files that are older than the columns %s, which are empty there.", root, note)
            absent = {name for name, count in lacking.items() if count == len(files)}
            self._tables[asked] = self._read(files, schema, how, absent)
        return self._tables[asked]

    def _lacking(self, files: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
        """Return the columns that some of these files lack, and how many do, from the files' footers."""
        if not files:
            return {}
        query = f"SELECT name, count(*) FROM parquet_schema([{_paths(files)}]) GROUP BY name"  # noqa: S608  (our own names)
        counts = dict(self._ibis.raw_sql(query).fetchall())
        return {name: len(files) - counts.get(name, 0) for name in columns if counts.get(name, 0) < len(files)}

    def _read(self, files: Sequence[str], schema: pa.Schema, how: str, absent: Collection[str] = ()) -> ir.Table:
        name = self._new_name("VIEW" if files else "TABLE")
        if not files:
            return self._ibis.create_table(name, schema=ibis.schema(schema), temp=True)
        columns = ", ".join(
            f'CAST(NULL AS {TYPES.get(field.type, "VARCHAR")}) AS "{field.name}"'
            if field.name in absent
            else f'"{field.name}"'
            for field in schema
        )
        self._ibis.raw_sql(
            f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM read_parquet([{_paths(files)}], {how})"  # noqa: S608  (our own names)
        )
        return self._ibis.table(name)

    def materialise(self, table: ir.Table) -> ir.Table:
        """Compute these rows into a temporary table."""
        return self._ibis.create_table(self._new_name("TABLE"), table, temp=True)

    def semi_join(self, table: ir.Table, key: str, of: ir.Table) -> ir.Table:
        """Compute into a temporary table the rows of a materialised table whose key is in another materialised one.

        Ibis would take twenty milliseconds for each such statement, and a group of buyers needs many.
        """
        name = self._new_name("TABLE")
        self._ibis.raw_sql(
            f'CREATE TEMP TABLE {name} AS FROM "{table.op().name}" SEMI JOIN "{of.op().name}" USING ("{key}")'
        )
        return self._ibis.table(name)

    def shard(self, table: ir.Table, by: str, number: int, of: int) -> ir.Table:
        """Return one shard, read from files; all shards are written when the first is read.

        The files lie where DuckDB spills, but its limit on that does not count them.
        DuckDB knows how many rows files have. How many a filter leaves it guesses, and from a remainder it guesses a
        few hundred of a million: then every join would hold the lists with all their features in memory, in place of
        the features that they are joined with.
        """
        sql, schema = self._ibis.compile(table), table.schema().to_pyarrow()
        split = (sql, by, of)
        if split not in self._shards:
            [spill] = self._ibis.raw_sql("SELECT current_setting('temp_directory')").fetchone()
            self._shards[split] = Path(spill) / next(self._names)
            place = str(self._shards[split]).replace("'", "''")
            self._ibis.raw_sql(
                f'COPY (SELECT {_typed(schema)}, "{by}" % {of} AS {SHARD} FROM ({sql})) '  # noqa: S608  (our own names)
                f"TO '{place}' (FORMAT parquet, COMPRESSION lz4_raw, PARTITION_BY ({SHARD}))"
            )
        files = sorted((self._shards[split] / f"{SHARD}={number}").glob("*.parquet"))
        return self._read([str(file) for file in files], schema, "hive_partitioning = false")

    def map_batches(self, table: ir.Table, columns: pa.Schema, function: BatchFunction, result: pa.Schema) -> ir.Table:
        """Apply the function to the rows, in this process."""
        mapped = pa.Table.from_batches(function(iter(self.batches(table, columns))), result)
        self._ibis.con.register(MAPPED, mapped)
        return self._ibis.table(MAPPED)

    def release(self) -> None:
        """Drop the temporary tables and views, and the files of shards."""
        for kind, name in self._created:
            self._ibis.raw_sql(f'DROP {kind} IF EXISTS "{name}"')
        for folder in self._shards.values():
            rmtree(folder, ignore_errors=True)
        self._created.clear()
        self._tables.clear()
        self._shards.clear()

    def _new_name(self, kind: str) -> str:
        """Return a name that no table or view has, and note what will have it."""
        name = next(self._names)
        self._created.append((kind, name))
        return name

    def write(
        self, lake: Lake, spec: TableSpec, table: ir.Table, day: date, definitions: Definitions | None = None
    ) -> WriteResult:
        """Stream these rows into the lake."""
        columns = pa.schema(field for field in spec.schema if field.name != DAY)
        return lake.replace_day(spec.name, day, self.batches(table, columns, spec.keys), spec.schema, definitions)

    def batches(self, table: ir.Table, schema: pa.Schema, order: Sequence[str] = ()) -> pa.RecordBatchReader:
        """Stream the rows, cast to the schema and ordered by these columns, if any."""
        sql = f"SELECT {_typed(schema)} FROM ({self._ibis.compile(table)})"  # noqa: S608  (our own names)
        if order:
            sql += " ORDER BY " + ", ".join(f'"{column}"' for column in order)
        return self._ibis.con.sql(sql).to_arrow_reader(BATCH_ROWS)


def _paths(files: Sequence[str]) -> str:
    """Return these paths as a list in SQL."""
    return ", ".join("'" + file.replace("'", "''") + "'" for file in files)


def _typed(schema: pa.Schema) -> str:
    """Return the SQL that casts to a schema: DuckDB's sums of integers are wider than any column of the lake."""
    return ", ".join(
        f'CAST("{field.name}" AS {TYPES[field.type]}) AS "{field.name}"' if field.type in TYPES else f'"{field.name}"'
        for field in schema
    )


@contextmanager
def open_duck(settings: FeatureSettings) -> Iterator[DuckEngine]:
    """Open a DuckDB database in memory that spills into a folder of its own, which is removed at the end."""
    with spill_folder(settings.spill) as folder:
        connection = ibis.duckdb.connect(
            memory_limit=settings.memory,
            threads=settings.threads,
            temp_directory=str(folder),
            # A caller that needs an order asks for it; keeping that of the files would cost memory.
            preserve_insertion_order=False,
        )
        # DuckDB 2.0 shows this limit when it is given at the start, but keeps to it only when it is set afterwards.
        connection.raw_sql(f"SET max_temp_directory_size = '{settings.spill_limit}'")
        try:
            yield DuckEngine(connection)
        finally:
            connection.disconnect()
