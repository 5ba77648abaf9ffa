"""What the `rankloop features` commands print."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from rankloop.features.build import Facts
from rankloop.features.catalogue import FAMILIES, FEATURES
from rankloop.features.portrait import Portrait
from rankloop.lake.tables import Written


def show_catalogue(console: Console) -> None:
    """Every feature with its meaning, a family after the other."""
    for family in FAMILIES:
        table = Table(
            "feature", "type", "unknown", "meaning", title=family.meaning.splitlines()[0], title_justify="left"
        )
        for feature in family.features:
            unknown = "" if feature.unknown is None else f"{feature.unknown:g}"
            table.add_row(feature.name, feature.type, unknown, feature.meaning)
        console.print(table)
    console.print(f"{len(FEATURES)} features in {len(FAMILIES)} families")


def show_written(console: Console, written: Written) -> None:
    """One line as a table's day is done."""
    console.print(f"{written.table:<24} {written.rows:>12,} rows   version {written.version:<5} {written.digest}")


def show_built(console: Console, facts: Facts, seconds: float) -> None:
    """What a day was made of, and how long it took."""
    first, last = facts.days[0], facts.days[-1]
    span = f"{first}" if first == last else f"{first} to {last}"
    console.print(f"{facts.day}: {len(facts.tables)} tables from {span} in {seconds:.1f} s")


def show_portrait(console: Console, seen: Portrait) -> None:
    """One buyer, on one page."""
    console.print(f"Buyer {seen.account_id} as of the end of {seen.day}")
    known = {name.removeprefix("buyer_"): value for name, value in seen.facts.items() if value is not None}
    facts = Table.grid(padding=(0, 2))
    items = [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in known.items()]
    for start in range(0, len(items), 3):
        facts.add_row(*items[start : start + 3])
    shelves = [
        *(
            _shelf(f"Favourite categories, depth {depth}", rows, {"category": "category", "share": "share"})
            for depth, rows in seen.categories.items()
        ),
        _shelf("Favourite shops", seen.shops, {"shop_id": "shop", "buyer_shop_share": "share"}),
        _shelf("Important words", seen.words, {"word": "word", "looks": "looks"}),
        _shelf(
            "Usual prices",
            seen.prices,
            {"category_path": "category", "price_category_looks": "looks", "price_usual_quartile": "quartile"},
        ),
    ]
    console.print(Group(facts, *shelves))


def _shelf(title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Table:
    table = Table(*columns.values(), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_plain(row[column]) for column in columns))
    return table


def _plain(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
