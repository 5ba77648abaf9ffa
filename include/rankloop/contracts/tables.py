"""How a table of the lake and its columns are declared."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from rankloop.contracts.lake import DAY

Type = Literal["int64", "float64", "string"]
INT: Type = "int64"
FLOAT: Type = "float64"
TEXT: Type = "string"

_ARROW = {INT: pa.int64(), FLOAT: pa.float64(), TEXT: pa.string()}


@dataclass(frozen=True)
class Column:
    """One column of a table of the lake."""

    name: str
    type: Type
    meaning: str


@dataclass(frozen=True)
class TableSpec:
    """A table of the lake: its key, which also orders its rows, and what stands beside the key."""

    name: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]

    @property
    def keys(self) -> list[str]:
        """The names of the key."""
        return [column.name for column in self.key]

    @property
    def schema(self) -> pa.Schema:
        """The columns as the lake has them, the market day first."""
        fields = [(column.name, _ARROW[column.type]) for column in (*self.key, *self.columns)]
        return pa.schema([(DAY, pa.date32()), *fields])
