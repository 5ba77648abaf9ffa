"""Extraction: reads a market day of one source into the lake's staging tables, as it is.

The contract of the source is an allow-list. What a source gives beyond it is refused here, for every source.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import INTERACTIONS
from rankloop.contracts.sources import FAULTS, SOURCES, SourceContract
from rankloop.errors import RankloopError
from rankloop.events.ingestion import Ingestion
from rankloop.events.summaries import ExtractionSummary, day_summaries, extraction_summary, save_extraction_summary

LIST_IDS = "raw/list_names"
"""The ids of the lists of the day before, for the reactions that come after midnight."""
LIST_IDS_SCHEMA = pa.schema({DAY: pa.date32(), "request_id": pa.string()})


class SourceSchemaError(RankloopError):
    """A source that gives other columns than its contract has."""


def extract_day(ingestion: Ingestion, day: date, source: str, now: datetime) -> ExtractionSummary:
    """Read a day of a source into the lake, in place of what was read before.

    A shop knows of `products` and `buyers` only how they are now. So the snapshot that a day once passed its checks
    with stays, and extracting it again gives the same; one that did not pass is taken again, and may have been fixed.
    """
    contract = SOURCES[source]
    if not contract.event and (taken := _passed_snapshot(ingestion, day, source)):
        return ExtractionSummary(**{**vars(taken), "kept": True})
    if source == INTERACTIONS:
        schema = pa.schema({"request_id": pa.string()})
        batches = ingestion.source.read_list_ids(day - timedelta(days=1))
        stream = pa.RecordBatchReader.from_batches(schema, _checked(batches, schema, "list ids"))
        ingestion.lake.replace_day(LIST_IDS, day, stream, LIST_IDS_SCHEMA)
    summary = _write_raw_rows(ingestion, day, contract, now)
    save_extraction_summary(ingestion.lake, summary)
    return summary


def _passed_snapshot(ingestion: Ingestion, day: date, source: str) -> ExtractionSummary | None:
    """Return what was extracted for the day, if there is anything in it and the day was cleaned with it."""
    taken = extraction_summary(ingestion.lake, day, source)
    return taken if taken and taken.rows and day_summaries(ingestion.lake, [day]) else None


def _write_raw_rows(ingestion: Ingestion, day: date, contract: SourceContract, now: datetime) -> ExtractionSummary:
    # Counted first: an event that arrives during the reading is then late, though it may have been read.
    timed = ingestion.source.count_in_day(contract, day) if contract.event else 0
    reading = ingestion.source.read_day(contract, day)
    faulty = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal faulty
        for batch in _checked(reading.batches, contract.row_schema, contract.collection):
            faulty += pc.sum(batch.column(FAULTS).is_valid()).as_py() or 0
            yield batch

    stream = pa.RecordBatchReader.from_batches(contract.row_schema, counted())
    written = ingestion.lake.replace_day(contract.raw_table, day, stream, contract.raw_schema)
    return ExtractionSummary(
        day=day.isoformat(),
        source=contract.collection,
        rows=written.rows,
        faulty=faulty,
        elsewhere=reading.counts.get("elsewhere", 0),
        timed=timed,
        extracted_at=now.isoformat(),
        days_after=(now.astimezone(ingestion.zone).date() - day).days,
        version=written.version,
        digest=written.digest,
    )


def _checked(batches: Iterator[pa.RecordBatch], schema: pa.Schema, what: str) -> Iterator[pa.RecordBatch]:
    """Yield the batches, and refuse one whose columns are not those of the contract."""
    for batch in batches:
        if batch.schema != schema:
            given, wanted = _columns(batch.schema), _columns(schema)
            other = [f"{name}: {kind}" for name, kind in given.items() if wanted.get(name) != kind]
            missing = [name for name in wanted if name not in given]
            raise SourceSchemaError(
                f"the source gave {what} with other columns than the contract's: {', '.join(other) or 'none'} are not "
                f"in it or of another type or order, {', '.join(missing) or 'none'} are missing. Nothing else is read, "
                "so that no personal field reaches the lake. Have the source give rows of the contract's `row_schema`."
            )
        yield batch


def _columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}
