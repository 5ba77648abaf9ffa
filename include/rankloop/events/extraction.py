"""Extraction: a day of one collection out of MongoDB into the lake, as it is, the personal fields left behind."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import INTERACTIONS
from rankloop.contracts.sources import FAULTS, SOURCES, SourceContract
from rankloop.events.site import Site
from rankloop.events.summaries import ExtractionSummary, day_summaries, extraction_summary, save_extraction_summary
from rankloop.sources.mongo.extraction import count_by_time, list_names, read_day

LIST_NAMES = "raw/list_names"
"""The lists of the day before, by name, for the reactions that come after midnight."""
LIST_NAMES_SCHEMA = pa.schema({DAY: pa.date32(), "request_id": pa.string()})


def extract_day(day: date, source: str, site: Site, now: datetime) -> ExtractionSummary:
    """Read a day of a source into the lake, in place of what was read before.

    Of `products` and `buyers` MongoDB knows only how they are now. So what a day once passed with stays, and
    extracting it again gives the same; what it did not pass with is taken anew, and may have been mended.
    """
    wanted = SOURCES[source]
    if not wanted.event and (taken := _passed_with(day, source, site)):
        return ExtractionSummary(**{**vars(taken), "kept": True})
    if source == INTERACTIONS:
        names = pa.RecordBatchReader.from_batches(
            pa.schema({"request_id": pa.string()}),
            _batches(list_names(site.reader, day - timedelta(days=1))),
        )
        site.lake.replace_day(LIST_NAMES, day, names, LIST_NAMES_SCHEMA)
    facts = _stage(day, wanted, site, now)
    save_extraction_summary(site.lake, facts)
    return facts


def _passed_with(day: date, source: str, site: Site) -> ExtractionSummary | None:
    """What was taken for the day, if there is anything in it and the day was cleaned with it."""
    taken = extraction_summary(site.lake, day, source)
    return taken if taken and taken.rows and day_summaries(site.lake, [day]) else None


def _stage(day: date, source: SourceContract, site: Site, now: datetime) -> ExtractionSummary:
    # Counted first: an event that arrives during the reading is then late, though it may have been read.
    timed = count_by_time(site.reader, source, day) if source.event else 0
    reading = read_day(site.reader, source, day)
    faulty = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal faulty
        for table in reading.tables:
            faulty += pc.sum(table[FAULTS].is_valid()).as_py() or 0
            yield table

    columns = pa.schema(field for field in source.raw_schema if field.name != DAY)
    stream = pa.RecordBatchReader.from_batches(columns, _batches(counted()))
    written = site.lake.replace_day(source.raw, day, stream, source.raw_schema)
    return ExtractionSummary(
        day=day.isoformat(),
        source=source.collection,
        rows=written.rows,
        faulty=faulty,
        elsewhere=reading.counts["elsewhere"],
        timed=timed,
        extracted_at=now.isoformat(),
        days_after=(now.astimezone(site.zone).date() - day).days,
        version=written.version,
        digest=written.digest,
    )


def _batches(tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
    for table in tables:
        yield from table.to_batches()
