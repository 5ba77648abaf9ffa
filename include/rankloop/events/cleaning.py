"""Cleaning: what was extracted of a day becomes its clean events, and what cannot be is put in quarantine.

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
from rankloop.events.site import Site
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
    """Rows went in that came out nowhere; a mistake of ours and never of the data."""


def clean(day: date, site: Site, now: datetime, *, accept: Collection[str] = ()) -> DaySummary:
    """Clean what was extracted of the day, check it, and make it the day's events in place of any former ones.

    A day that fails a check leaves its quarantine for people to look at, and the former events as they were.
    """
    extracted = {source: _extracted(day, source, site) for source in SOURCES}
    gate = DayChecks(day, site.rules, accept)
    documents = {source: facts.rows for source, facts in extracted.items()}
    gate.not_empty(documents)
    gate.not_small(documents, day_summaries(site.lake, weeks_before(day, site.rules.usual_weeks)))
    with open_validation_database(day, site) as bench:
        found = {name: _judge(bench, day, site, SOURCES[name], raw) for name, raw in extracted.items()}
        gate.not_bad(found)
        sources = {name: _publish(bench, day, site, SOURCES[name], facts) for name, facts in found.items()}
    result = DaySummary(day.isoformat(), now.isoformat(), sources, gate.accepted)
    save_day_summary(site.lake, result)
    return result


def _extracted(day: date, source: str, site: Site) -> ExtractionSummary:
    facts = extraction_summary(site.lake, day, source)
    if facts is None:
        raise MissingStepError(f"{source} {day} was not extracted yet, so there is nothing to clean. Extract it first.")
    return facts


def _judge(
    bench: ValidationDatabase, day: date, site: Site, source: SourceContract, raw: ExtractionSummary
) -> SourceSummary:
    """Put what is wrong into quarantine; what there is to say of the source before its clean rows are written."""
    if _in_lists(source):
        bench.keep("shown_wrong", f"SELECT * FROM ({exploded_lists(source)}) WHERE verdict IS NOT NULL")
    rejected = _rejected(source)
    reasons = bench.rows(
        f"SELECT reason, sum(rows)::BIGINT AS rows FROM ({rejected}) GROUP BY reason ORDER BY rows DESC, reason"
    )
    replace_quarantine(site.client, source.collection, day, _documents(bench, rejected, source, day))
    unit = "greatest(coalesce(len(items), 0), 1)" if _in_lists(source) else "1"
    rows_in = bench.rows(f"SELECT coalesce(sum({unit}), 0)::BIGINT AS n FROM raw_{source.collection}")[0]["n"]
    judged = bench.rows(f"SELECT count(*) AS n FROM judged_{source.collection}")[0]["n"]
    mended = bench.rows(count_repairs(source))[0]
    return SourceSummary(
        table=source.table,
        rows_in=rows_in,
        rows=0,
        quarantined=sum(entry["rows"] for entry in reasons),
        left_out=0 if source.event else rows_in - judged,
        reasons={entry["reason"]: entry["rows"] for entry in reasons},
        repairs={name: count for name, count in mended.items() if count},
        raw=asdict(raw),
    )


def _publish(
    bench: ValidationDatabase, day: date, site: Site, source: SourceContract, facts: SourceSummary
) -> SourceSummary:
    """Write the clean rows, and see that none was lost."""
    schema = EVENT_SCHEMAS[source.table]
    columns = ", ".join(field.name for field in schema if field.name != DAY)
    rows = exploded_lists(source) if _in_lists(source) else f"SELECT * FROM judged_{source.collection}"
    written = site.lake.replace_day(
        source.table, day, bench.stream(f"SELECT {columns} FROM ({rows}) WHERE verdict IS NULL"), schema
    )
    if written.rows + facts.quarantined + facts.left_out != facts.rows_in:
        raise LostRowsError(
            f"{source.collection} {day}: {facts.rows_in} rows went in, but {written.rows} kept, {facts.quarantined} in "
            f"quarantine and {facts.left_out} left out are not as many. Please report this; clearing will not help."
        )
    view = f"clean_{source.collection}"
    bench.see(view, site.lake.files(source.table, [day], written.version), schema)
    columns_of_day = column_profiles(bench, view, schema)
    return replace(
        facts,
        rows=written.rows,
        version=written.version,
        digest=written.digest,
        profile=columns_of_day,
        empty_columns=empty_columns(columns_of_day, site.rules.empty_share),
    )


def _rejected(source: SourceContract) -> str:
    rows = "greatest(coalesce(shown, 0), 1)" if _in_lists(source) else "1"
    whole = (
        f"SELECT id, NULL::INT AS item, {rows} AS rows, CAST({source.key} AS VARCHAR) AS key, "
        f"unnest(verdict), arrived FROM judged_{source.collection} WHERE verdict IS NOT NULL"
    )
    if not _in_lists(source):
        return whole
    return (
        f"{whole} UNION ALL SELECT id, number::INT AS item, 1 AS rows, {source.key} AS key, unnest(verdict), arrived "
        "FROM shown_wrong"
    )


def _documents(bench: ValidationDatabase, rejected: str, source: SourceContract, day: date) -> Iterator[RejectedRow]:
    for batch in bench.stream(f"SELECT * FROM ({rejected}) ORDER BY id, item"):
        for row in batch.to_pylist():
            yield RejectedRow(collection=source.collection, day=day, **row)


def _in_lists(source: SourceContract) -> bool:
    return source.collection == IMPRESSIONS
