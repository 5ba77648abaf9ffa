"""Cleaning: what was extracted of a day becomes its clean events, and what is not valid goes to quarantine.

Rows are counted as rows of the clean table: a list is as many as it shows products, and one if it shows none.
"""
# ruff: noqa: S608  (every name in the SQL is one of the contracts')

from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from datetime import date, datetime

from rankloop.contracts.lake import DAY, EVENT_SCHEMAS
from rankloop.contracts.marketplace import IMPRESSIONS
from rankloop.contracts.sources import SOURCES, SourceContract
from rankloop.errors import RankloopError
from rankloop.events.checks import DayChecks, weeks_before
from rankloop.events.column_profiles import column_profiles, empty_columns
from rankloop.events.ingestion import Ingestion
from rankloop.events.summaries import (
    DaySummary,
    ExtractionSummary,
    MissingStepError,
    SourceSummary,
    day_summaries,
    extraction_summary,
    save_day_summary,
)
from rankloop.events.validation_db import ValidationDatabase, open_validation_database
from rankloop.events.validation_sql import count_repairs, exploded_lists
from rankloop.state.quarantine import RejectedRow, replace_quarantine


class LostRowsError(RankloopError):
    """Rows that went in and came out nowhere; a mistake of ours and never of the data."""


def clean_events(ingestion: Ingestion, day: date, now: datetime, *, accept: Collection[str] = ()) -> DaySummary:
    """Clean what was extracted of the day, check it, and make it the day's events in place of any former ones.

    A day that fails a check leaves its quarantine for people to look at, and the former events as they were.
    """
    extracted = {source: _extracted(ingestion, day, source) for source in SOURCES}
    checks = DayChecks(day, ingestion.rules, accept)
    documents = {source: summary.rows for source, summary in extracted.items()}
    checks.not_empty(documents)
    checks.not_small(documents, day_summaries(ingestion.lake, weeks_before(day, ingestion.rules.usual_weeks)))
    with open_validation_database(ingestion, day) as database:
        validated = {name: _quarantine(database, ingestion, day, raw) for name, raw in extracted.items()}
        checks.not_bad(validated)
        sources = {
            name: _publish(database, ingestion, day, SOURCES[name], summary) for name, summary in validated.items()
        }
    result = DaySummary(day.isoformat(), now.isoformat(), sources, checks.accepted)
    save_day_summary(ingestion.lake, result)
    return result


def _extracted(ingestion: Ingestion, day: date, source: str) -> ExtractionSummary:
    summary = extraction_summary(ingestion.lake, day, source)
    if summary is None:
        raise MissingStepError(f"{source} {day} was not extracted yet, so there is nothing to clean. Extract it first.")
    return summary


def _quarantine(database: ValidationDatabase, ingestion: Ingestion, day: date, raw: ExtractionSummary) -> SourceSummary:
    """Put the rows that are not valid into quarantine, and summarise the source before its clean rows are written."""
    source = SOURCES[raw.source]
    if _in_lists(source):
        database.create_table("rejected_items", f"SELECT * FROM ({exploded_lists(source)}) WHERE verdict IS NOT NULL")
    rejected = _rejected(source)
    reasons = database.rows(
        f"SELECT reason, sum(rows)::BIGINT AS rows FROM ({rejected}) GROUP BY reason ORDER BY rows DESC, reason"
    )
    replace_quarantine(ingestion.state, source.collection, day, _rejected_rows(database, rejected, source, day))
    unit = "greatest(coalesce(len(items), 0), 1)" if _in_lists(source) else "1"
    rows_in = database.rows(f"SELECT coalesce(sum({unit}), 0)::BIGINT AS n FROM raw_{source.collection}")[0]["n"]
    validated = database.rows(f"SELECT count(*) AS n FROM validated_{source.collection}")[0]["n"]
    repaired = database.rows(count_repairs(source))[0]
    return SourceSummary(
        table=source.table,
        rows_in=rows_in,
        rows=0,
        quarantined=sum(entry["rows"] for entry in reasons),
        left_out=0 if source.event else rows_in - validated,
        reasons={entry["reason"]: entry["rows"] for entry in reasons},
        repairs={name: count for name, count in repaired.items() if count},
        raw=asdict(raw),
    )


def _publish(
    database: ValidationDatabase, ingestion: Ingestion, day: date, source: SourceContract, summary: SourceSummary
) -> SourceSummary:
    """Write the clean rows, and see that none was lost."""
    schema = EVENT_SCHEMAS[source.table]
    columns = ", ".join(field.name for field in schema if field.name != DAY)
    rows = exploded_lists(source) if _in_lists(source) else f"SELECT * FROM validated_{source.collection}"
    stream = database.stream(f"SELECT {columns} FROM ({rows}) WHERE verdict IS NULL")
    written = ingestion.lake.replace_day(source.table, day, stream, schema)
    if written.rows + summary.quarantined + summary.left_out != summary.rows_in:
        raise LostRowsError(
            f"{source.collection} {day}: {summary.rows_in} rows went in, but {written.rows} kept, "
            f"{summary.quarantined} in quarantine and {summary.left_out} left out are not as many. Please report this; "
            "clearing will not help."
        )
    view = f"clean_{source.collection}"
    database.create_view(view, ingestion.lake.files(source.table, [day], written.version), schema)
    profiles = column_profiles(database, view, schema)
    return replace(
        summary,
        rows=written.rows,
        version=written.version,
        digest=written.digest,
        profile=profiles,
        empty_columns=empty_columns(profiles, ingestion.rules.empty_share),
    )


def _rejected(source: SourceContract) -> str:
    rows = "greatest(coalesce(shown, 0), 1)" if _in_lists(source) else "1"
    documents = (
        f"SELECT id, NULL::INT AS item, {rows} AS rows, CAST({source.key} AS VARCHAR) AS key, "
        f"unnest(verdict), arrived FROM validated_{source.collection} WHERE verdict IS NOT NULL"
    )
    if not _in_lists(source):
        return documents
    return (
        f"{documents} UNION ALL SELECT id, number::INT AS item, 1 AS rows, {source.key} AS key, unnest(verdict), "
        "arrived FROM rejected_items"
    )


def _rejected_rows(
    database: ValidationDatabase, rejected: str, source: SourceContract, day: date
) -> Iterator[RejectedRow]:
    for batch in database.stream(f"SELECT * FROM ({rejected}) ORDER BY id, item"):
        for row in batch.to_pylist():
            yield RejectedRow(collection=source.collection, day=day, **row)


def _in_lists(source: SourceContract) -> bool:
    return source.collection == IMPRESSIONS
