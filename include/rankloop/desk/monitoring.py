"""Live results in a terminal: control against personalised, with intervals."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.live_results import ALL, CONTROL, DIFFERENCE, LIVE, PERSONALISED
from rankloop.ranking.metrics import KS

HOME = "home"
Metric = tuple[str, int | None]
Row = Mapping[str, Any]

CTR_AT_10: Metric = ("ctr", 10)
OF_BUYERS: Sequence[Metric] = (("orders_per_1000_lists", None), ("orders_per_buyer", None), ("gmv_per_buyer", None))
EVERY: Sequence[Metric] = (*((name, k) for name in ("ctr", "recall", "ndcg") for k in KS), *OF_BUYERS)
IN_SHORT: Sequence[Metric] = (CTR_AT_10, OF_BUYERS[0], OF_BUYERS[2])
HEADINGS = {
    "ctr": "CTR@{} %",
    "recall": "recall@{}",
    "ndcg": "NDCG@{}",
    "orders_per_1000_lists": "orders per 1 000 lists",
    "orders_per_buyer": "orders per buyer",
    "gmv_per_buyer": "GMV per buyer, thousands",
}
SCALES = {
    "ctr": (100, 2),
    "recall": (1, 3),
    "ndcg": (1, 3),
    "orders_per_1000_lists": (1, 1),
    "gmv_per_buyer": (1e-3, 1),
}
"""By metric, what a figure is multiplied by to be read, and its places behind the point."""


def judged_days(lake: Lake) -> list[date]:
    """Return the days with live results, oldest first."""
    return lake.days(LIVE)


def personalised_days(lake: Lake) -> list[date]:
    """Return the days on which some buyers were shown our rankings."""
    days = judged_days(lake)
    return [day for day in days if any(row["arm"] == PERSONALISED for row in _rows(lake, day))]


def print_live_results(console: Console, lake: Lake, day: date | None = None) -> None:
    """Print the live results of a day, by default the newest: metrics by arm, then CTR@10 by policy and surface."""
    days = judged_days(lake)
    if not days or (day and day not in days):
        judged = f"there are {days[0]} to {days[-1]}" if days else "no day is judged yet"
        console.print(f"No live results of {day or 'any day'}: {judged}.", highlight=False, soft_wrap=True)
        return
    rows = _rows(lake, day or days[-1])
    console.print(_by_arm(day or days[-1], rows, EVERY))
    console.print()
    console.print(_by_policy(rows))


def print_live_summary(console: Console, lake: Lake, day: date) -> None:
    """Print CTR@10, orders and their value, by arm."""
    console.print(_by_arm(day, _rows(lake, day), IN_SHORT))


def print_day_results(
    console: Console, lake: Lake, days: Sequence[date], said: Mapping[date, str], happened: Mapping[date, str]
) -> None:
    """Print a row for each day: who ranked, CTR@10 of home lists by arm, what happened, and the verdict."""
    table = Table("", "ranked by", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in (CONTROL, PERSONALISED, "times"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    judged = judged_days(lake)
    for day in days:
        if day in happened:
            table.add_row(f"{day:%d %b}", f"[bold]{happened[day]}[/bold]")
        rows = _home_ctr_at_10(lake, day) if day in judged else []
        arms = {row["arm"]: row for row in rows if row["policy"] == ALL}
        ours = sorted({row["policy"] for row in rows if row["arm"] == PERSONALISED} - {ALL, BASE_POLICY})
        control, personalised = arms.get(CONTROL), arms.get(PERSONALISED)
        times = f"{personalised['value'] / control['value']:.1f}" if control and personalised else "-"
        figures = (_figure(control, 1), _figure(personalised, 1))
        table.add_row(f"{day:%d %b}", ", ".join(ours), *figures, times, said.get(day, ""))
    console.print(table)
    console.print("CTR@10 in %, of home lists", style="dim", highlight=False)


def home_clicks(lake: Lake, day: date) -> tuple[float, float] | None:
    """Return CTR@10 of home lists of a day, control and personalised, or None where either is not known."""
    if day not in judged_days(lake):
        return None
    arms = {row["arm"]: row["value"] for row in _home_ctr_at_10(lake, day) if row["policy"] == ALL}
    return (arms[CONTROL], arms[PERSONALISED]) if {CONTROL, PERSONALISED} <= arms.keys() else None


def _home_ctr_at_10(lake: Lake, day: date) -> list[Row]:
    """Return the day's rows of CTR@10 in home lists, by arm and policy."""
    return [row for row in _rows(lake, day) if row["surface"] == HOME and (row["metric"], row["k"]) == CTR_AT_10]


def _rows(lake: Lake, day: date) -> list[Row]:
    found: list[Row] = lake.read(LIVE, [day]).to_pylist()
    return found


def _by_arm(day: date, rows: Sequence[Row], metrics: Sequence[Metric]) -> Table:
    """Return a table with a row for each metric: of home lists, but of all lists for what buyers order and spend."""
    table = Table("", title=f"{day}: home lists; orders and GMV of all lists", title_justify="left", box=None)
    for arm in (CONTROL, PERSONALISED, DIFFERENCE):
        table.add_column(arm, justify="right", no_wrap=True)
    rows_by_key = {(row["arm"], row["surface"], row["metric"], row["k"]): row for row in rows if row["policy"] == ALL}
    for metric, k in metrics:
        surface = ALL if (metric, k) in OF_BUYERS else HOME
        arms = [rows_by_key.get((arm, surface, metric, k)) for arm in (CONTROL, PERSONALISED, DIFFERENCE)]
        table.add_row(HEADINGS[metric].format(k), *(_figure(row) for row in arms))
    return table


def _by_policy(rows: Sequence[Row]) -> Table:
    right = [Column(name, justify="right") for name in ("lists", "buyers", HEADINGS["ctr"].format(10))]
    table = Table("arm", "policy", "surface", *right, box=None)
    for row in rows:
        if (row["metric"], row["k"]) == CTR_AT_10 and row["arm"] != DIFFERENCE and ALL not in {*_place(row)}:
            table.add_row(row["arm"], *_place(row), f"{row['lists']:,}", f"{row['buyers']:,}", _figure(row))
    return table


def _place(row: Row) -> tuple[str, str]:
    return row["policy"], row["surface"]


def _figure(row: Row | None, places: int | None = None) -> str:
    """Format a value with its interval, and a difference with its sign."""
    if row is None:
        return "-"
    factor, usual = SCALES.get(row["metric"], (1, 3))
    places = usual if places is None else places
    sign = "+" if row["arm"] == DIFFERENCE else ""
    low, high = (f"{row[name] * factor:,.{places}f}" for name in ("low", "high"))
    return f"{row['value'] * factor:{sign},.{places}f} [{low}, {high}]"
