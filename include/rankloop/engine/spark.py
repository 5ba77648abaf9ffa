"""A Spark cluster: executors read the lake's files and write the results beside them.

The driver reads what they wrote once, in a stream of bounded memory, for the digest and the count, and commits it.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import count, islice
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyspark
from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from rankloop.contracts.lake import DAY
from rankloop.contracts.tables import TableSpec
from rankloop.engine.protocol import BatchFunction
from rankloop.errors import RankloopError, TransientError
from rankloop.lake.commits import Definitions, WriteResult
from rankloop.lake.tables import Lake
from rankloop.settings import variable
from rankloop.settings.features import FeatureSettings

TYPES = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "STRING"}
HERE = "127.0.0.1"
ROWS = 1 << 12
"""Rows that the driver takes at a time."""
NUMBERS = count()
"""Of views; engines may share a session, and with it the names in it."""
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class SparkError(RankloopError):
    """A Spark that cannot be started from here."""


class SparkDownError(TransientError):
    """A Spark master elsewhere that does not answer."""


class SparkEngine:
    """One session; see `open_spark`."""

    in_process = False

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        self._ibis = ibis.pyspark.connect(session)
        self._kept: list[DataFrame] = []
        self._whole: dict[str, ir.Table] = {}

    def read(self, files: Sequence[str], schema: pa.Schema) -> ir.Table:
        """Read these Parquet files, with `dt` from their path."""
        columns = from_arrow_schema(schema)
        if files:
            root = files[0].partition(f"/{DAY}=")[0]
            places = [_place(file) for file in files]
            frame = self._session.read.schema(columns).option("basePath", _place(root)).parquet(*places)
        else:
            frame = self._session.createDataFrame([], columns)
        return self._named(frame.select(*schema.names))

    def materialise(self, table: ir.Table) -> ir.Table:
        """Have the executors cache these rows when they are first read."""
        frame = self._frame(table).persist()
        self._kept.append(frame)
        return self._named(frame)

    def semi_join(self, table: ir.Table, key: str, of: ir.Table) -> ir.Table:
        """Have the executors cache the rows whose key is in another table."""
        return self.materialise(table.semi_join(of, key))

    def shard(self, table: ir.Table, by: str, number: int, of: int) -> ir.Table:
        """Filter one shard from all rows, which the executors cache."""
        sql = self._ibis.compile(table)
        if sql not in self._whole:
            self._whole[sql] = self.materialise(table)
        whole = self._whole[sql]
        return whole.filter(whole[by] % of == number)

    def batches(self, table: ir.Table, schema: pa.Schema, order: Sequence[str] = ()) -> pa.RecordBatchReader:
        """Stream the rows through the driver, a partition at a time: for results that fit one process."""
        typed = self._typed(table, schema)
        rows = (typed.orderBy(*order) if order else typed).toLocalIterator(prefetchPartitions=True)
        batches = (
            pa.RecordBatch.from_pylist([row.asDict() for row in some], schema=schema)
            for some in iter(lambda: list(islice(rows, ROWS)), [])
        )
        return pa.RecordBatchReader.from_batches(schema, batches)

    def map_batches(self, table: ir.Table, columns: pa.Schema, function: BatchFunction, result: pa.Schema) -> ir.Table:
        """Apply the function to the rows in the executors, each of which is sent it once."""
        shared = self._session.sparkContext.broadcast(function)

        def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            # The value itself, named outside, would travel with every task.
            return shared.value(iter(batches))

        return self._named(self._typed(table, columns).mapInArrow(run, from_arrow_schema(result)))

    def write(
        self, lake: Lake, spec: TableSpec, table: ir.Table, day: date, definitions: Definitions | None = None
    ) -> WriteResult:
        """Have the executors write these rows beside the table, then make the files the day's."""
        columns = pa.schema(field for field in spec.schema if field.name != DAY)
        landing = lake.landing(spec.name, day)
        self._typed(table, columns).orderBy(*spec.keys).write.parquet(_place(landing))
        return lake.adopt(spec.name, day, landing, spec.schema, definitions)

    def release(self) -> None:
        """Have the executors drop the rows that they cached."""
        for frame in self._kept:
            frame.unpersist()
        self._kept.clear()
        self._whole.clear()

    def _frame(self, table: ir.Table) -> DataFrame:
        return self._session.sql(self._ibis.compile(table))

    def _typed(self, table: ir.Table, schema: pa.Schema) -> DataFrame:
        casts = [
            f"CAST(`{field.name}` AS {TYPES[field.type]}) AS `{field.name}`"
            if field.type in TYPES
            else f"`{field.name}`"
            for field in schema
        ]
        return self._frame(table).selectExpr(*casts)

    def _named(self, frame: DataFrame) -> ir.Table:
        name = f"rankloop_{next(NUMBERS)}"
        frame.createOrReplaceTempView(name)
        return self._ibis.table(name)


@contextmanager
def open_spark(settings: FeatureSettings) -> Iterator[SparkEngine]:
    """Open a Spark session on the master that the settings name, and stop it at the end unless it was there before."""
    others = SparkSession.getActiveSession()
    session = _session(settings)
    engine = SparkEngine(session)
    try:
        yield engine
    finally:
        engine.release()
        if session is not others:
            session.stop()


def _session(settings: FeatureSettings) -> SparkSession:
    # A cluster started from here (local-cluster) finds Spark and Python by these.
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    chosen = {**SETTINGS, **_addresses(settings.spark_master), **settings.spark}
    builder: Any = SparkSession.builder.master(settings.spark_master).appName("rankloop")
    for name, value in chosen.items():
        builder = builder.config(name, value)
    try:
        session: SparkSession = builder.getOrCreate()
    except Py4JError as error:
        # Java runs, so it is the master; what Spark says of one that does not answer helps nobody.
        raise SparkDownError(
            f"Spark at {settings.spark_master} does not answer. Start it, or name another by "
            f"{variable('features.spark_master')}; it must also be able to reach this machine."
        ) from error
    except Exception as error:
        raise SparkError(
            f"Spark at {settings.spark_master} cannot be started: {str(error).splitlines()[0]} It needs Java 17 "
            f"(JAVA_HOME); the master is {variable('features.spark_master')}."
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def _addresses(master: str) -> dict[str, str]:
    """Bind a local Spark to the loopback address; a cluster elsewhere must be able to call back, so nothing is set."""
    if not master.startswith("local"):
        return {}
    return {"spark.driver.host": HERE, "spark.driver.bindAddress": HERE}


def _place(uri: str) -> str:
    """Return a file's URI with the scheme that Hadoop expects."""
    if uri.startswith("s3://"):
        return uri.replace("s3://", "s3a://", 1)
    return uri if "://" in uri else f"file://{uri}"
