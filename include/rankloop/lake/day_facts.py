"""Facts about a day beside its rows: one JSON document a day, in a table of the lake like any other."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from rankloop.lake.commits import WriteResult
from rankloop.lake.partition import DAY
from rankloop.lake.tables import Lake

FACTS_SCHEMA = pa.schema({DAY: pa.date32(), "facts": pa.string()})


def write_facts(lake: Lake, table: str, day: date, facts: Mapping[str, Any]) -> WriteResult:
    """Replace the facts of the day."""
    rows = pa.table({"facts": [json.dumps(facts, sort_keys=True)]})
    return lake.replace_day(table, day, rows, FACTS_SCHEMA)


def read_facts(lake: Lake, table: str, days: Iterable[date]) -> list[dict[str, Any]]:
    """Return the facts of those of these days that have any, in no particular order."""
    wanted = list(days)
    if not wanted or not lake.has(table):
        return []
    return [json.loads(entry) for entry in lake.read(table, wanted, ["facts"])["facts"].to_pylist()]
