"""The words a buyer looks at."""

from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer

from tests.features.market import (
    FIRST_DAY,
    DayOfEvents,
    account,
    build,
    day_of,
    product,
    reaction,
    rows,
    settings_for,
    shown_list,
)

Rows = list[dict[str, Any]]

SEWING = 1
NAMES = {
    # How often each name was looked at, so that the words come out as the reference counted them.
    1: ("máy_may gia_đình juki nhật", 19),
    2: ("máy_may gia_đình nhật", 2),
    3: ("máy_may gia_đình nhật_bản", 15),
    4: ("máy_may gia_đình đa_năng", 11),
    5: ("Máy_may gia_đình", 25),
    6: ("máy_may  mini", 2),
}
REFERENCE = {"máy_may": 74, "gia_đình": 72, "nhật": 21, "juki": 19, "nhật_bản": 15, "đa_năng": 11}


def day(looks: Rows, products: Rows) -> DayOfEvents:
    shown = shown_list(FIRST_DAY, "q1", SEWING, [1])
    return day_of(FIRST_DAY, shown=shown, reactions=looks, products=products, buyers=[account(SEWING)])


def look_at_sewing_machines(folder: Path, **features: int) -> Rows:
    settings = settings_for(folder, **features)
    products = [product(number, name=name) for number, (name, _) in NAMES.items()]
    kinds = ("view", "click", "like_shop", "add_to_cart", "order")
    looks = [
        reaction(FIRST_DAY, kinds[time % len(kinds)], SEWING, number)
        for number, (_, times) in NAMES.items()
        for time in range(times)
    ]
    build(settings, {FIRST_DAY: day(looks, products)})
    return sorted(rows(settings, "features/buyer_word", FIRST_DAY), key=lambda row: row["rank"])


def test_a_buyer_of_sewing_machines_gets_the_words_of_the_reference_in_its_order(tmp_path: Path) -> None:
    words = look_at_sewing_machines(tmp_path)
    assert {row["word"]: row["looks"] for row in words[:6]} == REFERENCE
    assert [row["word"] for row in words[:6]] == list(REFERENCE)


def test_words_are_counted_as_by_a_count_vectorizer(tmp_path: Path) -> None:
    words = look_at_sewing_machines(tmp_path)
    corpus = [name for name, times in NAMES.values() for _ in range(times)]
    vectorizer = CountVectorizer(tokenizer=str.split, token_pattern=None)
    counts = vectorizer.fit_transform(corpus).sum(axis=0).A1
    expected = dict(zip(vectorizer.get_feature_names_out(), counts.tolist(), strict=True))
    assert {row["word"]: row["looks"] for row in words} == expected


def test_only_so_many_words_are_kept_as_the_settings_say(tmp_path: Path) -> None:
    assert [row["word"] for row in look_at_sewing_machines(tmp_path, top_words=2)] == ["máy_may", "gia_đình"]


def test_words_looked_at_equally_often_are_ranked_by_spelling(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    looks = [reaction(FIRST_DAY, "click", SEWING, 1)]
    products = [product(1, name="c b d a")]
    build(settings, {FIRST_DAY: day(looks, products)})
    ranked = {row["rank"]: row["word"] for row in rows(settings, "features/buyer_word", FIRST_DAY)}
    assert ranked == {1: "a", 2: "b", 3: "c", 4: "d"}


@pytest.mark.parametrize(("name", "looks"), [("juki juki nhật", {"juki": 2, "nhật": 1})])
def test_a_word_twice_in_a_name_counts_twice(tmp_path: Path, name: str, looks: dict[str, int]) -> None:
    settings = settings_for(tmp_path)
    build(settings, {FIRST_DAY: day([reaction(FIRST_DAY, "click", SEWING, 1)], [product(1, name=name)])})
    assert {row["word"]: row["looks"] for row in rows(settings, "features/buyer_word", FIRST_DAY)} == looks
