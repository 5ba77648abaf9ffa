"""The check of words finds old ones where people read, and leaves code alone."""

from pathlib import Path

import pytest
import words


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("page.md", "# A page\n\nThe loop is settled.\n", [3]),
        ("page.md", "Call `settle` or\n\n```\nsettle\n```\n", []),
        ("page.md", "<!-- words off -->\nsettle\n<!-- words on -->\nsettle\n", [4]),
        ("code.py", '"""Settle what is open."""\n', [1]),
        ("code.py", "x = 1  # settle this\n", [1]),
        ("code.py", 'settle("a", "settle", rows)\n', []),
        ("code.py", 'raise ValueError("the day is not ripe yet")\n', [1]),
    ],
)
def test_an_old_word_is_found_where_people_read_it(
    name: str, content: str, expected: list[int], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert [int(flaw.removeprefix(f"{path}:").partition(":")[0]) for flaw in words.check(path)] == expected


def test_an_old_name_is_reported_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("def settle(found):\n    one = found\n    return one\n")
    assert words.check(path) == []
    assert len(words.check(path, names=True)) == 3


def test_a_pattern_of_the_vocabulary_matches_over_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("The rows were set\naside.\n")
    assert words.check(path) == [f"{path}:1: 'set aside': say quarantine"]
