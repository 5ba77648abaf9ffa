"""Windows and rates against slow, obvious Python."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.building import aggregate_day, build_features
from tests.features.market import FIRST_DAY, account, day_of, product, put, reaction, rows, settings_for, shown_list

LAST = FIRST_DAY + timedelta(days=30)
BUYERS, PRODUCTS = (1, 2, 3), (1, 2, 3, 4)
KIND = {"view": "views", "click": "clicks", "like_shop": "likes", "add_to_cart": "carts", "order": "orders"}

deeds = st.tuples(
    st.sampled_from([0, 1, 6, 7, 20, 27, 28, 30]),
    st.sampled_from(list(KIND)),
    st.sampled_from(BUYERS),
    st.sampled_from(PRODUCTS),
)
"""How many days before the last, what, who, and to which product."""


@pytest.mark.stack
@given(done=st.lists(deeds, max_size=25))
@hypothesis_settings(max_examples=8, deadline=None)
def test_every_window_counts_what_slow_python_counts(done: list[tuple[int, str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        settings = settings_for(Path(folder), allow_gaps=True)
        for age in sorted({0, *(age for age, *_ in done)}, reverse=True):
            day = LAST - timedelta(days=age)
            looks = [reaction(day, kind, buyer, item) for then, kind, buyer, item in done if then == age]
            shown = shown_list(day, f"q{age}", 1, PRODUCTS)
            put(settings, day, day_of(day, shown=shown, reactions=looks, products=_goods(), buyers=_people()))
            aggregate_day(settings, day)
        build_features(settings, LAST)
        _compare_pairs(rows(settings, "features/buyer_product", LAST), done)
        _compare_buyers(rows(settings, "features/buyer", LAST), done)
        _compare_products(rows(settings, "features/product", LAST), done)


def _goods() -> list[dict[str, Any]]:
    return [product(number) for number in PRODUCTS]


def _people() -> list[dict[str, Any]]:
    return [account(number) for number in BUYERS]


def _compare_pairs(found: list[dict[str, Any]], done: list[tuple[int, str, int, int]]) -> None:
    expected: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    last: dict[tuple[int, int], int] = {}
    for age, kind, buyer, item in done:
        if age < 28:
            expected[buyer, item]["looks_28d"] += 1
            expected[buyer, item]["looks_7d"] += age < 7
            expected[buyer, item][f"{KIND[kind]}_28d"] += 1
            last[buyer, item] = min(age, last.get((buyer, item), 99))
    assert {(row["account_id"], row["product_id"]) for row in found} == set(expected)
    for row in found:
        pair = row["account_id"], row["product_id"]
        for name in ("looks_7d", "looks_28d", "clicks_28d", "carts_28d", "orders_28d"):
            assert row[f"pair_{name}"] == expected[pair][name], (pair, name)
        assert row["pair_days_since_look"] == last[pair]


def _compare_buyers(found: list[dict[str, Any]], done: list[tuple[int, str, int, int]]) -> None:
    by_buyer = {row["account_id"]: row for row in found}
    for buyer in BUYERS:
        for window in (1, 7, 28):
            for kind in ("click", "add_to_cart", "order"):
                count = sum(age < window and what == kind and who == buyer for age, what, who, _ in done)
                assert by_buyer[buyer][f"buyer_{KIND[kind]}_{window}d"] == count
        clicked = [age for age, what, who, _ in done if what == "click" and who == buyer and age < 28]
        assert by_buyer[buyer]["buyer_days_since_click"] == min(clicked, default=None)


def _compare_products(found: list[dict[str, Any]], done: list[tuple[int, str, int, int]]) -> None:
    days = {0, *(age for age, *_ in done if age < 28)}
    clicks = Counter(item for age, what, _, item in done if what == "click" and age < 28)
    prior = sum(clicks.values()) / (len(days) * len(PRODUCTS))
    for row in found:
        assert row["product_shown_28d"] == len(days)
        assert row["product_shown_7d"] == sum(age < 7 for age in days)
        assert row["product_clicks_28d"] == clicks[row["product_id"]]
        shown = len(days)
        category = (sum(clicks.values()) + prior * 200) / (shown * len(PRODUCTS) + 200)
        assert row["product_ctr"] == pytest.approx((clicks[row["product_id"]] + category * 200) / (shown + 200))


def test_a_trend_is_flat_while_there_is_no_week_before(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    shown = shown_list(FIRST_DAY, "q1", 1, PRODUCTS)
    put(settings, FIRST_DAY, day_of(FIRST_DAY, shown=shown, products=_goods(), buyers=_people()))
    aggregate_day(settings, FIRST_DAY)
    build_features(settings, FIRST_DAY)
    assert {row["product_trend_shown"] for row in rows(settings, "features/product", FIRST_DAY)} == {1.0}


def test_a_trend_compares_days_with_days(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    for number in range(10):
        day: date = FIRST_DAY + timedelta(days=number)
        lists = 4 if number >= 3 else 1
        shown = [row for which in range(lists) for row in shown_list(day, f"q{number}-{which}", 1, [1])]
        put(settings, day, day_of(day, shown=shown, products=_goods(), buyers=_people()))
        aggregate_day(settings, day)
    build_features(settings, day)
    trends = {row["product_id"]: row["product_trend_shown"] for row in rows(settings, "features/product", day)}
    assert trends[1] == (4 + 0.5) / (1 + 0.5)
    assert trends[2] == 1.0
