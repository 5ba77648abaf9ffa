"""What the columns of a day hold: how much of each is missing, and what values there are."""
# ruff: noqa: S608  (every name in the SQL is one of the contracts')

from typing import Any

import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.events.validation_db import ValidationDatabase


def column_profiles(bench: ValidationDatabase, view: str, schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """By column: the share of nulls; of texts and flags about how many different ones, of all else the extremes."""
    columns = [field for field in schema if field.name != DAY]
    measures = ["count(*) AS rows"]
    for field in columns:
        name = field.name
        measures.append(f'count({name}) AS "{name} known"')
        if _is_counted(field):
            measures.append(f'approx_count_distinct({name}) AS "{name} distinct"')
        else:
            measures += [f'min({name})::VARCHAR AS "{name} least"', f'max({name})::VARCHAR AS "{name} most"']
    found = bench.rows(f"SELECT {', '.join(measures)} FROM {view}")[0]
    return {field.name: _of_column(field, found) for field in columns}


def _is_counted(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type) or pa.types.is_boolean(field.type))


def _of_column(field: pa.Field, found: dict[str, Any]) -> dict[str, Any]:
    name, rows = field.name, found["rows"]
    column: dict[str, Any] = {"nulls": round(1 - found[f"{name} known"] / rows, 6) if rows else 0.0}
    kinds = ("distinct",) if _is_counted(field) else ("least", "most")
    return column | {kind: found[f"{name} {kind}"] for kind in kinds}


def empty_columns(columns: dict[str, dict[str, Any]], share: float) -> list[str]:
    """The columns in which there is nearly never anything."""
    return [name for name, column in columns.items() if column["nulls"] >= share]
