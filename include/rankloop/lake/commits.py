"""What the commits of a table say: which day each replaced, what the day then held, and by which definition."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

Definitions = Mapping[str, str]
"""By column, a digest of how it is computed; see `rankloop.features.definitions`."""


@dataclass(frozen=True)
class WriteResult:
    """A day that was written, and the version of its table that has it."""

    table: str
    day: date
    version: int
    rows: int
    digest: str


@dataclass(frozen=True)
class TableCommit:
    """One commit of a table."""

    number: int
    written_at: datetime
    operation: str
    day: date | None = None
    """The day that this commit replaced, with what it then held."""
    rows: int | None = None
    digest: str | None = None
    definitions: Definitions | None = None
    """How the columns of the day were computed; None where the writer did not say."""


def commit_metadata(day: date, rows: int, digest: str, definitions: Definitions | None) -> dict[str, str]:
    """Return what is stored with a commit that replaces a day."""
    metadata = {"market_day": day.isoformat(), "rows": str(rows), "digest": digest}
    return metadata if definitions is None else {**metadata, "definitions": json.dumps(definitions, sort_keys=True)}


def table_commit(entry: Mapping[str, Any]) -> TableCommit:
    """Return a commit from its entry in the table's history."""
    day, definitions = entry.get("market_day"), entry.get("definitions")
    return TableCommit(
        number=entry["version"],
        written_at=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
        operation=entry["operation"],
        day=date.fromisoformat(day) if day else None,
        rows=None if entry.get("rows") is None else int(entry["rows"]),
        digest=entry.get("digest"),
        # delta-rs gives back text that looks like JSON already parsed.
        definitions=json.loads(definitions) if isinstance(definitions, str) else definitions,
    )
