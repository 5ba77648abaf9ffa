"""The pages: each can be reached, and the README is short."""

import re
from pathlib import Path

import words

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")) == sorted(
        path for path in navigation if not path.startswith("reference/")
    )


def test_the_readme_has_at_most_900_words() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_glossary_is_in_alphabetical_order() -> None:
    table = (DOCS / "glossary.md").read_text(encoding="utf-8").partition("\n## ")[0]
    terms = [re.sub(r"[`(),]", "", term).lower() for term in re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]]
    terms = [term.replace("_", " ").replace("-", " ") for term in terms if not term.startswith("---")]
    assert terms == sorted(terms)


def test_every_old_word_has_something_to_say_instead() -> None:
    assert all(words.VOCABULARY["prose"].values())
    assert all(words.VOCABULARY["names"].values())
