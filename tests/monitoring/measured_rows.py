"""Measures written by hand: what the functions that measure would have found on some days."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.tables import CONCEPT, DRIFT, PERFORMANCE, QUALITY, SCHEMA
from rankloop.monitoring.policy.findings import relevant_rows
from rankloop.monitoring.policy.judge import decide_verdict
from rankloop.monitoring.policy.rule_set import open_policy
from rankloop.monitoring.policy.verdict import Verdict
from rankloop.settings.monitoring import MonitoringSettings

DAY = date(2026, 11, 20)
CHAMPION = 7
IMPORTANCE = {"product_price": 0.5, "product_ctr": 0.3, "buyer_orders": 0.2}
POLICY = open_policy(MonitoringSettings())

Measured = tuple[str, dict[str, Any]]
"""A table and its row."""


def row(table: str, day: date, what: str, value: float, **more: Any) -> Measured:  # noqa: ANN401  (any column)
    """A row; `what` is its signal, subject and measure, of which the last may be several words."""
    signal, subject, measure = what.split(maxsplit=2)
    empty = {"low": None, "high": None, "expected": None, "rows": 5000, "version": CHAMPION}
    return table, {"dt": day, "signal": signal, "subject": subject, "measure": measure, "value": value} | empty | more


def psi(day: date, **features: float) -> list[Measured]:
    """How far features moved; those that are not named stayed."""
    return [row(DRIFT, day, f"feature {name} psi", features.get(name, 0.02)) for name in IMPORTANCE]


def ndcg(day: date, low: float, high: float) -> Measured:
    """How well rankings of a day did, where 0.40 was promised."""
    return row(PERFORMANCE, day, "reranked all ndcg@10", (low + high) / 2, low=low, high=high, expected=0.40)


def against(day: date, low: float, high: float) -> Measured:
    """Personalised less control."""
    return row(PERFORMANCE, day, "against_control all ctr@10", (low + high) / 2, low=low, high=high, expected=0.0)


def fresh(day: date, low: float, high: float) -> Measured:
    """What a fresh model gains."""
    return row(CONCEPT, day, "fresh all ndcg@10", (low + high) / 2, low=low, high=high, expected=0.0)


def wrong_unit(day: date) -> list[Measured]:
    """Prices in thousands of dong."""
    return [
        row(QUALITY, day, "column products.final_price median", 250.0, expected=250_000.0, version=None),
        row(QUALITY, day, "column products.final_price nulls", 0.0, expected=0.0, version=None),
    ]


def one_shops_unit(day: date) -> list[Measured]:
    """One shop's prices in thousands of dong, as `unit_bug` gives them on its first day (scale 0.3, seed 7)."""
    shares = [
        ("column", "jumped", 0.1584, 0.0020, 0.0, 1578),
        ("column", "off_scale", 0.0848, 0.0058, 0.0006, 1581),
        ("shop", "jumped 300048", 1.0, 0.0020, 0.0, 250),
        ("shop", "off_scale 300042", 0.7879, 0.0246, 0.0006, 33),
        ("shop", "off_scale 300048", 0.264, 0.0106, 0.0006, 250),
    ]
    levels = [
        ("final_price p05", 64.0, 25_000.0),
        ("final_price median", 113_000.0, 133_000.0),
        ("final_price p95", 1_627_000.0, 1_798_000.0),
        ("original_price p05", 68.0, 29_600.0),
        ("original_price median", 127_000.0, 151_000.0),
    ]
    found = [*psi(before(1)), *psi(day, product_price=0.85)]
    for signal, measure, value, high, expected, rows in shares:
        held = {"low": 0.0, "high": high, "expected": expected, "rows": rows, "version": None}
        found.append(row(QUALITY, day, f"{signal} products.final_price {measure}", value, **held))
    for what, value, expected in levels:
        held = {"low": expected * 0.95, "high": expected * 1.05, "expected": expected, "rows": 1581, "version": None}
        found.append(row(QUALITY, day, f"column products.{what}", value, **held))
    return found


def before(days: int) -> date:
    """So many days before the day that is judged."""
    return DAY - timedelta(days=days)


def tables(rows: Iterable[Measured]) -> dict[str, list[dict[str, Any]]]:
    """The rows by table."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for table, one in rows:
        found[table].append(one)
    return found


def verdict(rows: Iterable[Measured], **more: Any) -> Verdict:  # noqa: ANN401  (any argument of `decide_verdict`)
    """The verdict of the day."""
    given = {"policy": POLICY, "importance": IMPORTANCE, "history": (), "day": DAY, "version": CHAMPION} | more
    return decide_verdict(relevant_rows(tables(rows), CHAMPION), **given)


def write(lake: Lake, rows: Iterable[Measured]) -> None:
    """Put them into the lake, each day of each table whole."""
    for table, found in tables(rows).items():
        for day in {one["dt"] for one in found}:
            mine = [{k: v for k, v in one.items() if k != "dt"} for one in found if one["dt"] == day]
            lake.replace_day(table, day, pa.Table.from_pylist(mine, SCHEMA.remove(0)), SCHEMA)
