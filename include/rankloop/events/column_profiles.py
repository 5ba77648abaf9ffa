"""Profiles the columns of a day: how many values of each are missing, and what values there are."""
# ruff: noqa: S608  (every name in the SQL is one of the contracts')

from typing import Any

import pyarrow as pa

from rankloop.contracts.lake import DAY
from rankloop.events.validation_db import ValidationDatabase


def column_profiles(database: ValidationDatabase, view: str, schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return by column the share of nulls; of texts and flags about how many distinct values, else the extremes."""
    columns = [field for field in schema if field.name != DAY]
    measures = ["count(*) AS rows"]
    for field in columns:
        name = field.name
        measures.append(f'count({name}) AS "{name} present"')
        if _is_counted(field):
            measures.append(f'approx_count_distinct({name}) AS "{name} distinct"')
        else:
            measures += [f'min({name})::VARCHAR AS "{name} least"', f'max({name})::VARCHAR AS "{name} most"']
    measured = database.rows(f"SELECT {', '.join(measures)} FROM {view}")[0]
    return {field.name: _column_profile(field, measured) for field in columns}


def _is_counted(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type) or pa.types.is_boolean(field.type))


def _column_profile(field: pa.Field, measured: dict[str, Any]) -> dict[str, Any]:
    name, rows = field.name, measured["rows"]
    nulls = round(1 - measured[f"{name} present"] / rows, 6) if rows else 0.0
    kinds = ("distinct",) if _is_counted(field) else ("least", "most")
    return {"nulls": nulls, **{kind: measured[f"{name} {kind}"] for kind in kinds}}


def empty_columns(columns: dict[str, dict[str, Any]], share: float) -> list[str]:
    """Return the columns in which nearly every value is missing."""
    return [name for name, column in columns.items() if column["nulls"] >= share]
