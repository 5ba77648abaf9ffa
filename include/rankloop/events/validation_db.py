"""A DuckDB database for validating one day: views on the lake's files, and the ids that exist on that day."""
# ruff: noqa: S608  (every name in the SQL is one of the contracts', every value is quoted)

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from rankloop.calendar import day_bounds
from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, PRODUCTS
from rankloop.contracts.sources import SOURCES
from rankloop.engine.spill import spill_folder
from rankloop.events.extraction import LIST_IDS, LIST_IDS_SCHEMA
from rankloop.events.ingestion import Ingestion
from rankloop.events.validation_sql import single_spaced, validated_rows

BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class ValidationDatabase:
    """One connection to a database in memory; see `open_validation_database`."""

    connection: duckdb.DuckDBPyConnection

    def stream(self, query: str) -> Any:  # noqa: ANN401  (pyarrow ships no types)
        """Return the rows of a query as a `pyarrow.RecordBatchReader`, as they come."""
        return self.connection.sql(query).to_arrow_reader(BATCH_ROWS)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query that gives few."""
        return self.stream(query).read_all().to_pylist()  # type: ignore[no-any-return]

    def create_view(self, name: str, files: list[str], schema: pa.Schema) -> None:
        """Create a view of the rows of these files, or an empty table if there are none."""
        columns = [field.name for field in schema if field.name != DAY]
        if not files:
            self.connection.register(
                name, pa.table({column: pa.nulls(0, schema.field(column).type) for column in columns})
            )
            return
        paths = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        self.connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {', '.join(columns)} FROM read_parquet([{paths}])")

    def create_table(self, name: str, query: str) -> None:
        """Compute a query once and store its rows under a name."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


@contextmanager
def open_validation_database(ingestion: Ingestion, day: date) -> Iterator[ValidationDatabase]:
    """Open a database with the extracted rows of the day, each validated, for as long as the context lasts."""
    rules = ingestion.rules
    with (
        spill_folder(None) as spill,
        duckdb.connect(
            config={"memory_limit": rules.memory, "threads": rules.threads, "temp_directory": str(spill)}
        ) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        database = ValidationDatabase(connection)
        _create_tables(database, ingestion, day)
        yield database


def _create_tables(database: ValidationDatabase, ingestion: Ingestion, day: date) -> None:
    lake = ingestion.lake
    for source in SOURCES.values():
        database.create_view(f"raw_{source.collection}", lake.files(source.raw_table, [day]), source.raw_schema)
    database.create_view("raw_list_ids", lake.files(LIST_IDS, [day]), LIST_IDS_SCHEMA)
    # Every id that the shop has counts, clean or not: a row must not be rejected for what it refers to.
    database.create_table(
        "product_ids", f"SELECT DISTINCT product_id AS id {_from(PRODUCTS)} WHERE product_id IS NOT NULL"
    )
    database.create_table("buyer_ids", f"SELECT DISTINCT account_id AS id {_from(BUYERS)} WHERE account_id IS NOT NULL")
    lists = f"SELECT request_id {_from(IMPRESSIONS)} UNION ALL SELECT request_id FROM raw_list_ids"
    list_id = f"nfc_normalize({single_spaced('request_id')})"
    database.create_table("list_ids", f"SELECT DISTINCT {list_id} AS id FROM ({lists}) WHERE request_id IS NOT NULL")
    _, end = day_bounds(day, ingestion.zone)
    for source in SOURCES.values():
        database.create_table(f"validated_{source.collection}", validated_rows(source, end))


def _from(collection: str) -> str:
    return f"FROM raw_{collection}"
