"""Builds the documentation as a site in build/site: `python docs/site/build.py`, or `make docs`.

Copies the pages of docs/, adds those that are generated from the code, and has Zensical build all of them; a link to a
page or heading that does not exist fails the build. Nothing is downloaded.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STAGED = ROOT / "build" / "docs"
OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]+\)")
"""A link to a file of the repository that the site does not have."""


def main() -> None:
    """Write the pages and build the site."""
    stage()
    command = [Path(sys.executable).with_name("zensical"), "build", "--strict"]
    plain = {**os.environ, "NO_COLOR": "1"}
    sys.exit(subprocess.run(command, cwd=ROOT, env=plain, check=False).returncode)


def stage() -> None:
    """Write the site's pages to build/docs; an unchanged page keeps its time, so that it is not built again."""
    pages = {path: text.encode() for path, text in reference.pages().items()} | dict(_written())
    for path, content in pages.items():
        target = STAGED / path
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for path in STAGED.rglob("*"):
        if path.is_file() and path.relative_to(STAGED).as_posix() not in pages:
            path.unlink()


def _written() -> list[tuple[str, bytes]]:
    sources = [path for path in DOCS.rglob("*") if path.is_file() and not path.is_relative_to(DOCS / "site")]
    return [(path.relative_to(DOCS).as_posix(), _content(path)) for path in sources]


def _content(path: Path) -> bytes:
    """Return the file's bytes; of a page, links to files outside docs/ become plain text."""
    if path.suffix != ".md":
        return path.read_bytes()
    return OUTSIDE.sub(r"\1", path.read_text(encoding="utf-8")).encode()


if __name__ == "__main__":
    main()
