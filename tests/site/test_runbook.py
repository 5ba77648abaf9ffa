"""Every message that the runbook quotes is one that the code prints."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
QUOTING = ("the message begins", "the log ends with", "symptom")
"""Columns of tables that quote what on-call sees."""
OF_OTHERS = (
    "Sensor has timed out",
    "No space left on device",
    "Out of Memory",
    "Branch into []",
)
"""Messages of Airflow, DuckDB and the operating system."""
WORDS = 2
"""A piece of a message with fewer words says too little to be looked for."""


def quoted() -> Iterator[str]:
    """Yield each message that a table quotes."""
    column = None
    for line in RUNBOOK.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            column = None
        elif names := [number for number, cell in enumerate(cells) if cell in QUOTING]:
            column = names[0]
        elif column is not None and not cells[0].startswith("---"):
            yield from re.findall(r"`([^`]+)`", cells[column])


def texts() -> Iterator[str]:
    """Yield every text of the code; what an f-string computes is `…`."""
    for folder in ("include", "dags", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


CODE = "\n".join(" ".join(text.split()) for text in texts())


@pytest.mark.parametrize("message", sorted(set(quoted())))
def test_a_message_of_the_runbook_is_one_of_the_code(message: str) -> None:
    if message.startswith(OF_OTHERS):
        return
    pieces = [piece.strip() for piece in re.split(r"…|`", message) if len(piece.split()) >= WORDS]
    assert [piece for piece in pieces if piece not in CODE] == []
