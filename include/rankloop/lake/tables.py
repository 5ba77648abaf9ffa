"""The lake: Delta tables in a folder or an object store, partitioned by market day, with their old versions.

A day's files are written first and then added to their table by one commit, so a process that dies in between leaves
files that no reader sees. The commit is refused if another came between, and is then retried on top of that one: left
to itself, delta-rs lets two first writes of one day through and keeps the rows of both.
"""

import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from rankloop.errors import RankloopError
from rankloop.lake.commits import Definitions, TableCommit, WriteResult, commit_metadata, table_commit
from rankloop.lake.digest import Digest, rows_digest
from rankloop.lake.partition import DAY, Rows, delta_schema, require_day_column, write_partition_file
from rankloop.lake.store import FileStore
from rankloop.lake.vacuum import CHECKPOINTS, KEEP_LOG, NO_CLEANUP, vacuum_table, versions_newest_since

log = logging.getLogger(__name__)

COMMIT_TRIES = 500
"""Each refusal means that another commit went through; after so many we give up."""
LOG = "_delta_log"


class LakeError(RankloopError):
    """A table, a day or a version that does not exist, or cannot be written."""


@dataclass(frozen=True)
class _Landed:
    """Files that are to replace a day."""

    paths: Sequence[str]
    digest: Digest
    definitions: Definitions | None
    instead_of: Sequence[str] | None = None
    """The files that the day must still have; None if it may be replaced whatever it has."""


class Lake(FileStore):
    """The tables under one root, and files that are no tables, such as pages."""

    def __reduce__(self) -> tuple[type["Lake"], tuple[str, dict[str, str]]]:
        return Lake, (self.root, self.options)

    # Writing

    def replace_day(
        self, table: str, day: date, data: Rows, schema: pa.Schema, definitions: Definitions | None = None
    ) -> WriteResult:
        """Replace the rows of the day; a reader sees the former ones or these, and nothing between.

        A stream is read in bounded memory and in its order. The rows may lack `dt`. A column that the table has and
        this schema lacks stays in the table, empty on this day.
        """
        require_day_column(table, schema)
        path = f"{self.landing(table, day)}/part-0.parquet"
        with self._store.open_output_stream(self._path(path)) as sink:
            digest = write_partition_file(sink, data, schema, day, table)
        paths = [path] if digest.rows else []
        return self._commit(table, day, schema, _Landed(paths, digest, definitions))

    def landing(self, table: str, day: date) -> str:
        """Return a new folder for an engine that writes a day's Parquet files by itself, without `dt`; see `adopt`."""
        return f"{self.uri(table)}/{DAY}={day}/{uuid.uuid4().hex}"

    def adopt(
        self, table: str, day: date, landing: str, schema: pa.Schema, definitions: Definitions | None = None
    ) -> WriteResult:
        """Replace the day by the Parquet files in a landing, as `replace_day` does by rows."""
        require_day_column(table, schema)
        folder = self._path(landing)
        selector = pyarrow.fs.FileSelector(folder, recursive=True, allow_not_found=True)
        names = sorted(entry.path for entry in self._store.get_file_info(selector) if entry.path.endswith(".parquet"))
        expected = {field.name: field.type for field in delta_schema(schema) if field.name != DAY}
        for name in names:
            own = delta_schema(pq.read_schema(name, filesystem=self._store))
            if {field.name: field.type for field in own} != expected:
                raise LakeError(
                    f"{table} {day}: the file {name} has columns {own}, the table {expected}. Nothing was written."
                )
        paths = [f"{self.root}/{name}" for name in names]
        return self._commit(table, day, schema, _Landed(paths, rows_digest(self._batches(paths)), definitions))

    def merge_files(self, table: str, day: date) -> WriteResult | None:
        """Merge a day's files into one with the same rows in the same order; None if the day was replaced meanwhile."""
        if not (files := self.files(table, [day])):
            return None
        with self._store.open_input_file(self._path(files[0])) as first:
            own = pq.read_schema(first).remove_metadata()  # of a day that is older than a column of the table
        path = f"{self.landing(table, day)}/part-0.parquet"
        rows = pa.RecordBatchReader.from_batches(own, (batch.select(own.names) for batch in self._batches(files)))
        with self._store.open_output_stream(self._path(path)) as sink:
            digest = write_partition_file(sink, rows, own.append(pa.field(DAY, pa.date32())), day, table)
        noted = self.last_commit(table, day)
        if files == self.files(table, [day]) and str(digest) != noted.digest:
            raise LakeError(
                f"{table} {day}: its files hold rows of digest {digest}, and the log has {noted.digest}: they were "
                "changed in place. Nothing was written; bring them back from a backup, or make the day again."
            )
        try:
            return self._commit(table, day, own, _Landed([path], digest, noted.definitions, files))
        except _ReplacedError:
            return None

    def _commit(self, table: str, day: date, schema: pa.Schema, landed: _Landed) -> WriteResult:
        added: list[AddAction | RemoveAction] = [self._action(table, day, path) for path in landed.paths]
        digest = landed.digest
        note = commit_metadata(day, digest.rows, str(digest), landed.definitions)
        properties = CommitProperties(custom_metadata=note, max_commit_retries=0)
        for _ in range(COMMIT_TRIES):
            target = self._open_or_create(table, schema)
            before = target.version()
            try:
                target.create_write_transaction(
                    added,
                    "overwrite",
                    _schema_after(target, table, day, schema)
                    if landed.instead_of is None
                    else _schema_if_unchanged(target, day, landed.instead_of),
                    [DAY],
                    [(DAY, "=", day.isoformat())],
                    commit_properties=properties,
                    post_commithook_properties=NO_CLEANUP,
                )
            except CommitFailedError:
                if self._table(table).version() == before:
                    raise
                continue
            # The handle does not move with the commit; but nothing came between, so the version is the next one.
            return WriteResult(table, day, before + 1, digest.rows, str(digest))
        raise LakeError(
            f"{table} {day}: {COMMIT_TRIES} commits of others came between, the last at version {before}. "
            "The rows are not in the table; run the same again when less is written at once."
        )

    def _action(self, table: str, day: date, path: str) -> AddAction:
        info = self._store.get_file_info([self._path(path)])[0]
        rows = pq.read_metadata(self._path(path), filesystem=self._store).num_rows
        return AddAction(
            path=path.removeprefix(f"{self.uri(table)}/"),
            size=info.size,
            partition_values={DAY: day.isoformat()},
            modification_time=int(datetime.now(UTC).timestamp() * 1000),
            data_change=True,
            stats=json.dumps({"numRecords": rows}),
        )

    def _open_or_create(self, table: str, schema: pa.Schema) -> DeltaTable:
        if not self.has(table):
            try:
                DeltaTable.create(
                    self.uri(table),
                    delta_schema(schema),
                    mode="error",
                    partition_by=[DAY],
                    configuration=KEEP_LOG | CHECKPOINTS,
                    storage_options=self.options,
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
            except Exception:
                # Another writer may have created it meanwhile; delta-rs reports that in more than one way.
                if not self.has(table):
                    raise
        return self._table(table)

    # Reading

    def tables(self) -> list[str]:
        """Return the names of all tables."""
        return sorted(self._tables_below(""))

    def _tables_below(self, folder: str) -> Iterator[str]:
        folders = self.folders(folder)
        if any(path.rpartition("/")[2] == LOG for path in folders):
            yield folder
            return
        for path in folders:
            yield from self._tables_below(path)

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        return DeltaTable.is_deltatable(self.uri(table), self.options)

    def uri(self, table: str) -> str:
        """Return where a table's files are."""
        return f"{self.root}/{table}"

    def version(self, table: str) -> int:
        """Return the newest version of a table."""
        return self._table(table).version()

    def days(self, table: str, version: int | None = None) -> list[date]:
        """Return the days that a table has, oldest first; none if there is no such table."""
        if not self.has(table):
            return []
        return sorted(date.fromisoformat(entry[DAY]) for entry in self._table(table, version).partitions())

    def rows(self, table: str, version: int | None = None) -> dict[date, int]:
        """Return how many rows each day has, from the log alone."""
        counts: dict[date, int] = {}
        actions = pa.table(self._table(table, version).get_add_actions(flatten=True))
        for day, count in zip(actions[f"partition.{DAY}"].to_pylist(), actions["num_records"].to_pylist(), strict=True):
            counts[day] = counts.get(day, 0) + count
        return dict(sorted(counts.items()))

    def file_sizes(self, table: str) -> dict[date, list[int]]:
        """Return the bytes of each file of each day, from the log alone."""
        sizes: dict[date, list[int]] = {}
        actions = pa.table(self._table(table).get_add_actions(flatten=True))
        for day, size in zip(actions[f"partition.{DAY}"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
            sizes.setdefault(day, []).append(size)
        return dict(sorted(sizes.items()))

    def files(self, table: str, days: Iterable[date], version: int | None = None) -> list[str]:
        """Return the Parquet files of these days in one version, for an engine to read with Hive partitions."""
        wanted = [day.isoformat() for day in days]
        if not wanted or not self.has(table):
            return []
        return sorted(self._table(table, version).file_uris(file_pruning_predicate=[(DAY, "in", wanted)]))

    def columns(self, table: str, day: date) -> set[str]:
        """Return the columns that a day's files have; an older day may lack some of the table's."""
        names: set[str] = set()
        for file in self.files(table, [day]):
            names.update(pq.read_schema(self._path(file), filesystem=self._store).names)
        return names

    def batches(
        self, table: str, day: date, version: int | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream the rows of a day without `dt`; all columns, or these in the table's order."""
        return self._batches(self.files(table, [day], version), columns)

    def _batches(self, files: Sequence[str], columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        wanted = None if columns is None else list(columns)
        for file in files:
            with self._store.open_input_file(self._path(file)) as source:
                yield from pq.ParquetFile(source).iter_batches(columns=wanted)

    def read(
        self, table: str, days: Iterable[date], columns: Sequence[str] | None = None, version: int | None = None
    ) -> pa.Table:
        """Read the rows of these days into memory."""
        target = self._table(table, version)
        schema = pa.schema(pa.schema(target.schema().to_arrow()))
        files = [self._path(file) for file in self.files(table, days, target.version())]
        partitioning = ds.partitioning(pa.schema({DAY: pa.date32()}), flavor="hive")
        data = ds.dataset(files, schema=schema, format="parquet", filesystem=self._store, partitioning=partitioning)
        return data.to_table(list(columns) if columns is not None else schema.names)

    def digest(self, table: str, day: date, version: int | None = None) -> str:
        """Compute the digest of a day's rows from the files; see `rankloop.lake.digest`."""
        return str(rows_digest(self.batches(table, day, version)))

    def last_commit(self, table: str, day: date) -> TableCommit:
        """Return the commit that last wrote a day; nothing is read but the log."""
        if commit := self.last_commits(table).get(day):
            return commit
        raise LakeError(f"the table {table} has no {day}; see `rankloop lake days`.")

    def last_commits(self, table: str, version: int | None = None) -> dict[date, TableCommit]:
        """Return, by day, the commit that last wrote it, up to a version; none if there is no such table."""
        commits: dict[date, TableCommit] = {}
        for commit in self.versions(table) if self.has(table) else ():
            if commit.day is not None and (version is None or commit.number <= version):
                commits.setdefault(commit.day, commit)
        return commits

    def written(self, table: str, day: date) -> WriteResult:
        """Return what the last commit of a day noted of it."""
        commit = self.last_commit(table, day)
        return WriteResult(table, day, commit.number, commit.rows or 0, commit.digest or "")

    def digests(self, table: str, days: Iterable[date]) -> dict[date, str | None]:
        """Return the digest of each day's rows, from the log alone; None for a day that the table does not have."""
        commits = self.last_commits(table)
        return {day: commits[day].digest if day in commits else None for day in days}

    def versions(self, table: str) -> list[TableCommit]:
        """Return the commits of a table, newest first."""
        return [table_commit(entry) for entry in self._table(table).history()]

    # Maintenance

    def remove_old_files(
        self, table: str, *, keep_days: int, keep_versions: Sequence[int] = (), dry_run: bool = False
    ) -> dict[str, int]:
        """Remove the files that no version of the last `keep_days` days needs, nor any of these; return their bytes.

        What a killed writer left behind is removed too, once it is as old. Older versions can then no longer be read.
        """
        since = datetime.now(UTC) - timedelta(days=keep_days)
        kept = {
            *versions_newest_since(((commit.number, commit.written_at) for commit in self.versions(table)), since),
            *keep_versions,
        }
        target = self._table(table)
        unneeded = self._sizes_of(table, vacuum_table(target, keep_days, kept, dry_run=True))
        if unneeded and not dry_run:
            vacuum_table(target, keep_days, kept, dry_run=False)
        return unneeded

    def _sizes_of(self, table: str, names: Sequence[str]) -> dict[str, int]:
        """Return the bytes of those files that exist: a vacuum also names what earlier ones removed."""
        paths = [f"{table}/{name.removeprefix(f'{self.uri(table)}/')}" for name in names]
        sizes = self.file_sizes_of(paths)
        return {path.removeprefix(f"{table}/"): sizes[path] for path in paths if path in sizes}

    def _table(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self.uri(table), version=version, storage_options=self.options)
        except TableNotFoundError:
            existing = ", ".join(self.tables()) or "none"
            raise LakeError(f"the lake {self.root} has no table {table}; there are: {existing}.") from None
        except Exception as error:
            if version is None or version in {entry.number for entry in self.versions(table)}:
                raise
            raise LakeError(
                f"the table {table} has no version {version}; see `rankloop lake versions {table}`."
            ) from error


class _ReplacedError(LakeError):
    """The day was replaced since its files were read."""


def _schema_if_unchanged(target: DeltaTable, day: date, files: Sequence[str]) -> pa.Schema:
    """Return the table's schema, if these are still the day's files."""
    if sorted(target.file_uris(file_pruning_predicate=[(DAY, "=", day.isoformat())])) != sorted(files):
        raise _ReplacedError(f"{day} was replaced meanwhile")
    return pa.schema(target.schema().to_arrow())


def _schema_after(target: DeltaTable, table: str, day: date, schema: pa.Schema) -> pa.Schema:
    """Return the table's schema once a day of this schema is in it: its own columns, then the new ones.

    Left to itself, delta-rs takes the schema of the last writer, and a column that this one lacks is gone for all days.
    """
    current, written = pa.schema(target.schema().to_arrow()), delta_schema(schema)
    types = {field.name: pa.field(field.name, field.type).type for field in current}
    for field in written:
        if field.name in types and types[field.name] != field.type:
            raise LakeError(
                f"{table} {day}: the column {field.name} is {types[field.name]} in the table and {field.type} in what "
                "is written. Give the new column another name, or remove the table and make its days again."
            )
    if lacking := [name for name in types if name not in written.names]:
        log.warning(
            "%s %s: the table has columns that this code does not write: %s. They stay, empty on this day. If a newer "
            "Rankloop or another feature family wrote them, run that version for this day again.",
            *(table, day, ", ".join(lacking)),
        )
    kept = [written.field(name) if name in written.names else pa.field(name, types[name]) for name in types]
    return pa.schema([*kept, *(field for field in written if field.name not in types)])
