"""Days, versions and differences of the lake, for people in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, PRODUCTS
from rankloop.events.late_events import LATE, late_counts
from rankloop.events.summaries import DaySummary, day_summaries
from rankloop.lake.commits import TableCommit
from rankloop.lake.comparison import PartitionDiff, PartitionVersion
from rankloop.lake.tables import Lake

SOURCE_HEADINGS = {IMPRESSIONS: "shown", INTERACTIONS: "reactions", PRODUCTS: "products", BUYERS: "buyers"}


def print_event_days(console: Console, lake: Lake) -> None:
    """Every cleaned day: what it has, what is in quarantine, and what there is to know before building on it."""
    days = day_summaries(lake)
    if not days:
        console.print(f"No day is cleaned yet in {lake.root}.", soft_wrap=True)
        return
    table = Table(Column("day", no_wrap=True))
    for heading in (*SOURCE_HEADINGS.values(), "quarantined"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("to know")
    late = late_counts(lake, lake.days(LATE))
    for facts in days:
        counts = [_count(facts.sources[source].rows) for source in SOURCE_HEADINGS]
        quarantined = sum(source.quarantined for source in facts.sources.values())
        table.add_row(facts.day, *counts, _count(quarantined), _notes(facts, late.get(facts.day)))
    console.print(table)
    newest = days[-1]
    if empty := [f"{name}.{column}" for name, source in newest.sources.items() for column in source.empty_columns]:
        console.print(f"Nearly always empty on {newest.day}: {', '.join(empty)}.", soft_wrap=True)


def _notes(facts: DaySummary, late: Mapping[str, Any] | None) -> str:
    notes = [f"accepted: {', '.join(facts.accepted)}"] if facts.accepted else []
    age = max(source.raw["days_after"] for source in facts.sources.values())
    if age > 1:
        notes.append(f"catalogue of {age} days later")
    # What was late for the day as it was before it was last cleaned is in it now.
    if late and late["share"] and late["counted_at"] >= facts.cleaned_at:
        missed = ", ".join(f"{_count(count)} {source}" for source, count in late["events"].items() if count)
        notes.append(f"came late: {missed} ({late['share']:.1%})")
    return "; ".join(notes)


def print_table_days(console: Console, lake: Lake, name: str) -> None:
    """Print the days of one table, with the version and the digest that each was last written with."""
    # They come newest first, and the newest of a day is to stay.
    last = {version.day: version for version in reversed(lake.versions(name))}
    table = Table("day", "rows", "version", "written", "digest")
    for day, rows in lake.rows(name).items():
        version = last[day]
        table.add_row(str(day), _count(rows), str(version.number), f"{version.written_at:%F %T}", version.digest)
    table.columns[1].justify = table.columns[2].justify = "right"
    console.print(table)


def print_table_versions(console: Console, versions: list[TableCommit]) -> None:
    """Print the commits of a table in the order given, which is newest first."""
    table = Table("version", "written", "day", "rows", "digest")
    for version in versions:
        what = str(version.day) if version.day else version.operation.lower()
        rows = "" if version.rows is None else _count(version.rows)
        table.add_row(str(version.number), f"{version.written_at:%F %T}", what, rows, version.digest or "")
    table.columns[0].justify = table.columns[3].justify = "right"
    console.print(table)


def print_partition_diff(console: Console, diff: PartitionDiff) -> None:
    """Print what changed in a day from one version of a table to another."""
    title = f"{diff.table} {diff.day}"
    if diff.same:
        versions = f"version {diff.before.version} and version {diff.after.version}"
        console.print(f"{title}: the same {_count(diff.after.rows)} rows in {versions} ({diff.after.digest}).")
        return
    table = Table("", "version", "rows", "digest", "rows the other has not", title=title)
    for name, side in (("before", diff.before), ("after", diff.after)):
        table.add_row(name, str(side.version), _count(side.rows), side.digest, _count(side.own_rows))
    console.print(table)
    console.print(f"Columns whose values differ: {', '.join(diff.columns)}.", soft_wrap=True)
    for name, side in (("before", diff.before), ("after", diff.after)):
        _show_examples(console, name, side)


def _show_examples(console: Console, name: str, side: PartitionVersion) -> None:
    if side.examples:
        console.print(f"Only {name}, the first {len(side.examples)} of {_count(side.own_rows)}:")
    for row in side.examples:
        values = ", ".join(f"{column} = {value}" for column, value in row.items() if value is not None)
        console.print(f"  {values}", soft_wrap=True, highlight=False, markup=False)


def print_quarantine_counts(console: Console, counts: Sequence[Mapping[str, Any]]) -> None:
    """How many rows are in quarantine, by day and reason."""
    if not counts:
        console.print("Nothing is in quarantine.")
        return
    table = Table("day", "collection", "reason", "field", Column("rows", justify="right"))
    for entry in counts:
        table.add_row(entry["day"], entry["collection"], entry["reason"], entry["field"], _count(entry["rows"]))
    console.print(table)


def print_quarantined_rows(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rejected rows, a line each: which document it was, and what is wrong with it."""
    for row in rows:
        place = row["id"] if row["item"] is None else f"{row['id']}, item {row['item']}"
        line = f"{row['collection']} {place}: {row['reason']}, {row['field']} = {row['value']}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
