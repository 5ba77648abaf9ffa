"""What the `rankloop features` commands print."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from rankloop.features.build import BuildResult
from rankloop.features.buyer_profile import BuyerProfile
from rankloop.features.catalogue import Catalogue
from rankloop.features.partitions import StaleReport
from rankloop.lake.commits import WriteResult

StaleReason = tuple[tuple[str, ...], tuple[str, ...]]
"""The columns that changed, and those that are missing."""
MOST_NAMED = 4
"""Columns that a line names."""


def print_catalogue(console: Console, catalogue: Catalogue) -> None:
    """Print every feature with its meaning, family by family."""
    for family in catalogue.families:
        title = family.meaning.strip().splitlines()[0]
        table = Table("feature", "type", "kind", "unknown", "meaning", title=title, title_justify="left")
        for feature in family.features:
            unknown = "" if feature.unknown is None else f"{feature.unknown:g}"
            table.add_row(feature.name, feature.type, feature.kind, unknown, feature.meaning)
        console.print(table)
    console.print(f"{len(catalogue.features)} features in {len(catalogue.families)} families")


def print_written(console: Console, written: WriteResult) -> None:
    """Print one line about a table's day that was written."""
    console.print(f"{written.table:<24} {written.rows:>12,} rows   version {written.version:<5} {written.digest}")


def print_built(console: Console, result: BuildResult, seconds: float) -> None:
    """Print what a day was made of, and how long it took."""
    first, last = result.days[0], result.days[-1]
    span = f"{first}" if first == last else f"{first} to {last}"
    console.print(f"{result.day}: {len(result.tables)} tables from {span} in {seconds:.1f} s")


def print_buyer_profile(console: Console, profile: BuyerProfile) -> None:
    """Print one buyer's features and favourites, on one page."""
    console.print(f"Buyer {profile.account_id} as of the end of {profile.day}")
    features = {name.removeprefix("buyer_"): value for name, value in profile.features.items() if value is not None}
    grid = Table.grid(padding=(0, 2))
    items = [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in features.items()]
    for start in range(0, len(items), 3):
        grid.add_row(*items[start : start + 3])
    favourites = [
        *(
            _table(f"Favourite categories, depth {depth}", rows, {"category": "category", "share": "share"})
            for depth, rows in profile.categories.items()
        ),
        _table("Favourite shops", profile.shops, {"shop_id": "shop", "buyer_shop_share": "share"}),
        _table("Important words", profile.words, {"word": "word", "looks": "looks"}),
        _table(
            "Usual prices",
            profile.prices,
            {"category_path": "category", "price_category_looks": "looks", "price_usual_quartile": "quartile"},
        ),
    ]
    console.print(Group(grid, *favourites))


def _table(title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Table:
    table = Table(*columns.values(), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_plain(row[column]) for column in columns))
    return table


def _plain(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def print_stale(console: Console, report: StaleReport) -> None:
    """Print which days have to be rebuilt, and why."""
    if report.unknown:
        console.print(
            f"{report.unknown} partitions do not say how they were computed: an earlier Rankloop wrote them. They are "
            "taken to fit."
        )
    if not report.stale:
        console.print("No day is stale: all were computed as this code and these settings would.")
        return
    table = Table("table", "days", "changed", "missing", title="Stale", title_justify="left")
    for name, reasons in sorted(_by_reason(report).items()):
        for (changed, lacking), days in reasons.items():
            table.add_row(name, date_spans(days), _columns(changed), _columns(lacking))
    console.print(table)
    days = sorted({*report.aggregates, *report.features})
    first = "aggregate and build" if report.aggregates else "build"
    console.print(
        f"Rebuild {len(days)} days, oldest first: {date_spans(days)}. Clear the tasks {first} of daily_features for "
        "them, or run `rankloop features build --day` for each."
    )


def _by_reason(report: StaleReport) -> dict[str, dict[StaleReason, list[date]]]:
    """Return, by table and by what is wrong, the days."""
    tables: dict[str, dict[StaleReason, list[date]]] = {}
    for partition in report.stale:
        days = tables.setdefault(partition.table, {}).setdefault((partition.changed, partition.lacking), [])
        days.append(partition.day)
    return tables


def _columns(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def date_spans(days: Sequence[date]) -> str:
    """Return sorted days as spans, such as `2026-10-01 to 2026-10-03, 2026-10-07`."""
    spans: list[list[date]] = []
    for day in days:
        if spans and day - spans[-1][-1] == timedelta(days=1):
            spans[-1].append(day)
        else:
            spans.append([day])
    return ", ".join(f"{span[0]}" if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans)
