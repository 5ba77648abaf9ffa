"""The comparison as a page and as Markdown."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from rankloop.ranking.report.facts import ReportData
from rankloop.ranking.report.page import comparison_page
from rankloop.ranking.report.summary import summary
from rankloop.settings.gate import GateSettings
from tests.ranking.trainings import training

SETTINGS = GateSettings()
VOID = {"meta", "img", "source", "br"}


@pytest.fixture(scope="module")
def facts() -> ReportData:
    return training()


@pytest.fixture(scope="module")
def page(facts: ReportData) -> str:
    return comparison_page(facts, SETTINGS)


class Tags(HTMLParser):
    """Which tags are open, and every address that a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag != "a":  # a link is followed, not fetched
            self.addresses += [value or "" for name, value in attrs if name in {"src", "srcset", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert len(tags.addresses) == 12  # six pictures, for light and for dark
    assert all(address.startswith("data:image/svg+xml;base64,") for address in tags.addresses)
    assert "<script" not in page
    assert "@import" not in page


def test_every_picture_is_sound(page: str) -> None:
    for encoded in re.findall(r"base64,([A-Za-z0-9+/=]+)", page):
        assert ET.fromstring(base64.b64decode(encoded)).tag.endswith("svg")  # noqa: S314  (our own)


def test_the_same_facts_give_the_same_bytes(facts: ReportData, page: str) -> None:
    assert comparison_page(facts, SETTINGS) == page


def test_the_verdict_comes_first_and_every_part_is_there(facts: ReportData, page: str) -> None:
    body = page.partition("<main>")[2]
    assert body.index(facts.gate.verdict) < body.index("The gate")
    for part in (
        "Where it is better",
        "Every metric",
        "Set by set",
        "Lists before and after",
        "What the model looks at",
    ):
        assert part in body
    assert "training/lists v42" in body


def test_the_newest_block_is_named_and_the_run_can_be_followed(facts: ReportData, page: str) -> None:
    assert "test_3 is the newest" in page
    fewer = replace(facts, comparison=replace(facts.comparison, sets=("test_0", "test_1")))
    assert "test_1 is the newest" in comparison_page(fewer, SETTINGS)
    assert f'<a href="{facts.run}">' in page


def test_what_a_value_says_cannot_become_markup(facts: ReportData) -> None:
    page = comparison_page(replace(facts, why="<script>alert(1)</script>"), SETTINGS)
    assert "<script" not in page


def test_what_is_not_known_is_left_out(facts: ReportData) -> None:
    bare = replace(facts, importance={}, examples=(), reliability=None, learning_curve={}, days=())
    page = comparison_page(bare, SETTINGS)
    for part in ("Lists before and after", "What the model looks at", "How it learned", "Calibration"):
        assert part not in page
    assert "Calibration" not in summary(bare)


def test_a_rejected_challenger_is_said_to_be_rejected() -> None:
    worse = training(ours=0.5, champion=2.0)
    assert worse.gate.verdict.startswith("Rejected: NDCG@10 is down by")
    assert "--mark: var(--fall)" in comparison_page(worse, SETTINGS)
    text = summary(worse)
    assert text.startswith("**Rejected:")
    assert "**Gate: not passed**" in text
    assert "**Where it is worse** (NDCG@10)" in text


def test_the_markdown_says_what_how_much_how_sure_and_from_what(facts: ReportData) -> None:
    text = summary(facts, "http://mlflow/report.html")
    delta = facts.comparison.of("ndcg@10")
    assert text.startswith(f"**{facts.gate.verdict}**")
    assert f"{delta.difference:+.4f} | {delta.lower:+.4f} to {delta.upper:+.4f}" in text
    assert "`product_ctr` 41%" in text
    assert "training/lists v42" in text
    assert "[The whole comparison](http://mlflow/report.html)" in text
    assert "The most lost" in text


def test_the_markdown_is_short_enough_for_a_request(facts: ReportData) -> None:
    assert len(summary(facts)) < 6000


def test_without_a_champion_both_speak_of_the_shops_own_ranking() -> None:
    first = training(champion=None)
    assert "against the shop&#39;s own ranking" in comparison_page(first, SETTINGS)
    assert "against the shop's own ranking" in summary(first)
