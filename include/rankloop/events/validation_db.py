"""A DuckDB that holds one day while it is judged: views on the lake's files, and who and what is known on that day."""
# ruff: noqa: S608  (every name in the SQL is one of the contracts', every value is quoted)

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, PRODUCTS
from rankloop.contracts.sources import SOURCES
from rankloop.engine.spill import spill_folder
from rankloop.events.extraction import LIST_NAMES, LIST_NAMES_SCHEMA
from rankloop.events.site import Site
from rankloop.events.validation_sql import single_spaced, validated_rows
from rankloop.sources.mongo.extraction import bounds

BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class ValidationDatabase:
    """One connection to an empty database; see `workbench`."""

    connection: duckdb.DuckDBPyConnection

    def stream(self, query: str) -> Any:  # noqa: ANN401  (pyarrow ships no types)
        """The rows of a query as they come, as a `pyarrow.RecordBatchReader`."""
        return self.connection.sql(query).to_arrow_reader(BATCH_ROWS)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query that gives few."""
        return self.stream(query).read_all().to_pylist()  # type: ignore[no-any-return]

    def see(self, name: str, files: list[str], schema: pa.Schema) -> None:
        """Name the rows of these files, or an empty table if there are none."""
        columns = [field.name for field in schema if field.name != DAY]
        if not files:
            self.connection.register(
                name, pa.table({column: pa.nulls(0, schema.field(column).type) for column in columns})
            )
            return
        places = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        self.connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {', '.join(columns)} FROM read_parquet([{places}])")

    def keep(self, name: str, query: str) -> None:
        """Work a query out once, under a name."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


@contextmanager
def open_validation_database(day: date, site: Site) -> Iterator[ValidationDatabase]:
    """What was extracted of the day, every document judged, for as long as the context lasts."""
    with (
        spill_folder(None) as spill,
        duckdb.connect(
            config={"memory_limit": site.rules.memory, "threads": site.rules.threads, "temp_directory": str(spill)}
        ) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        bench = ValidationDatabase(connection)
        _lay_out(bench, day, site)
        yield bench


def _lay_out(bench: ValidationDatabase, day: date, site: Site) -> None:
    for source in SOURCES.values():
        bench.see(f"raw_{source.collection}", site.lake.files(source.raw, [day]), source.raw_schema)
    bench.see("raw_list_names", site.lake.files(LIST_NAMES, [day]), LIST_NAMES_SCHEMA)
    # Whatever the marketplace has is known, clean or not: a row must not be rejected for what it refers to.
    bench.keep("known_products", f"SELECT DISTINCT product_id AS name {_from(PRODUCTS)} WHERE product_id IS NOT NULL")
    bench.keep("known_buyers", f"SELECT DISTINCT account_id AS name {_from(BUYERS)} WHERE account_id IS NOT NULL")
    names = f"SELECT request_id {_from(IMPRESSIONS)} UNION ALL SELECT request_id FROM raw_list_names"
    name = f"nfc_normalize({single_spaced('request_id')})"
    bench.keep("known_lists", f"SELECT DISTINCT {name} AS name FROM ({names}) WHERE request_id IS NOT NULL")
    _, end = bounds(day, site.zone)
    for source in SOURCES.values():
        bench.keep(f"judged_{source.collection}", validated_rows(source, end))


def _from(collection: str) -> str:
    return f"FROM raw_{collection}"
