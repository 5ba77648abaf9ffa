"""Checks the words of pages and code against vocabulary.yml: `python docs/site/words.py [--names] PATH…`.

Reads Markdown without its code, and of Python the docstrings, the comments and every text of four words or more, which
is a message. With `--names` it checks the names of variables, parameters, functions and classes too. A page may hold
old words between `<!-- words off -->` and `<!-- words on -->`.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import yaml

VOCABULARY = yaml.safe_load((Path(__file__).parent / "vocabulary.yml").read_text(encoding="utf-8"))
PROSE = {re.compile(rf"\b{old}\b".replace(" ", r"\s+"), re.IGNORECASE): new for old, new in VOCABULARY["prose"].items()}
NAMES: dict[str, str] = VOCABULARY["names"]
NOT_PROSE = re.compile(
    r"<!-- words off -->.*?<!-- words on -->|^ *```.*?^ *```|``?[^`\n]+``?|\]\([^)]*\)|https?://\S+",
    re.DOTALL | re.MULTILINE,
)
WORDS_OF_A_MESSAGE = 4
Text = tuple[int, str]
"""The first line of a text in its file, counted from 1, and the text."""


def main(arguments: list[str]) -> int:
    """Print every old word of these files and folders; return 1 if there is any."""
    check_names = "--names" in arguments
    flaws = [flaw for path in _files(arguments) for flaw in check(path, names=check_names)]
    print("\n".join(flaws or ["no old words"]))
    return int(bool(flaws))


def check(path: Path, *, names: bool = False) -> list[str]:
    """Return a line for each old word of the file: where it is, and what to say instead."""
    content = path.read_text(encoding="utf-8")
    texts = [(1, content)] if path.suffix == ".md" else list(texts_of_code(content))
    flaws = [(line, f"'{word}': say {new}") for text in texts for line, word, new in old_words(text)]
    if names and path.suffix == ".py":
        flaws += [
            (line, f"the name '{name}': call it {NAMES[name]}")
            for line, name in names_of_code(content)
            if name in NAMES
        ]
    return [f"{path}:{line}: {flaw}" for line, flaw in sorted(flaws)]


def old_words(text: Text) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the old word and its replacement for each old word of the text."""
    first, content = text
    prose = NOT_PROSE.sub(lambda match: "`" + "\n" * match[0].count("\n"), content)
    for pattern, new in PROSE.items():
        for match in pattern.finditer(prose):
            yield first + prose.count("\n", 0, match.start()), " ".join(match[0].split()), new


def texts_of_code(content: str) -> Iterator[Text]:
    """Yield the docstrings, messages and comments of Python code."""
    for node in ast.walk(ast.parse(content)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and len(node.value.split()) >= WORDS_OF_A_MESSAGE
        ):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def names_of_code(content: str) -> Iterator[Text]:
    """Yield each name that the code gives to something, with its line."""
    for node in ast.walk(ast.parse(content)):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.FunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
            ):
                yield node.lineno, name


def _files(arguments: list[str]) -> Iterator[Path]:
    for argument in arguments:
        if not argument.startswith("--"):
            path = Path(argument)
            yield from (
                sorted(file for file in path.rglob("*") if file.suffix in {".md", ".py"}) if path.is_dir() else [path]
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
