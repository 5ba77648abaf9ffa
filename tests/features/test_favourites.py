"""Favourite categories and shops: weighed by kind, decayed by age, ties broken by name."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rankloop.settings.features import Weights
from tests.features.market import FIRST_DAY, account, build, day_of, product, reaction, rows, settings_for, shown_list

NEXT_DAY = FIRST_DAY + timedelta(days=1)
PRODUCTS = [
    product(1, category_path="1/2/10/100", shop_id=7),
    product(2, category_path="1/2/10/101", shop_id=8),
    product(3, category_path="1/3/20/200", shop_id=9),
]
SHOPS = {1: 7, 2: 8, 3: 9}


def favourites(
    folder: Path, table: str, *days: list[tuple[str, int]], weights: Weights | None = None
) -> list[dict[str, Any]]:
    """A table of favourites after these days of interactions (kind and product) of one buyer."""
    settings = settings_for(
        folder, category_half_life=1, shop_half_life=1, **({"category_weights": weights} if weights else {})
    )
    events = {}
    for number, done in enumerate(days):
        day = FIRST_DAY + timedelta(days=number)
        looks = [reaction(day, kind, 1, item, shop_id=SHOPS[item]) for kind, item in done]
        shown = shown_list(day, f"q{number}", 1, [1, 2, 3])
        events[day] = day_of(day, shown=shown, reactions=looks, products=PRODUCTS, buyers=[account(1)])
    build(settings, events)
    return rows(settings, table, max(events))


def leaves(found: list[dict[str, Any]]) -> dict[str, float]:
    return {row["category"]: row["weight"] for row in found if row["depth"] == 4}


def test_an_order_weighs_more_than_a_click_as_the_settings_say(tmp_path: Path) -> None:
    weights = Weights(view=0, click=1, like_shop=0, add_to_cart=0, order=4.5)
    found = favourites(tmp_path, "features/buyer_category", [("click", 1), ("order", 2)], weights=weights)
    assert leaves(found) == {"1/2/10/100": 1.0, "1/2/10/101": 4.5}


def test_a_weight_halves_with_each_half_life(tmp_path: Path) -> None:
    found = favourites(tmp_path, "features/buyer_category", [("click", 1)], [], [("click", 2)])
    assert leaves(found) == {"1/2/10/100": 0.25, "1/2/10/101": 1.0}


def test_shares_add_up_to_one_at_each_depth(tmp_path: Path) -> None:
    found = favourites(tmp_path, "features/buyer_category", [("click", 1), ("view", 2), ("order", 3)])
    for depth in (1, 2, 3, 4):
        assert sum(row["share"] for row in found if row["depth"] == depth) == pytest.approx(1)


def test_a_category_sums_up_the_ones_within_it(tmp_path: Path) -> None:
    found = favourites(tmp_path, "features/buyer_category", [("click", 1), ("click", 2), ("click", 3)])
    by_category = {row["category"]: row for row in found}
    assert by_category["1/2"]["weight"] == 2.0
    assert [by_category[name]["rank"] for name in ("1/2", "1/3")] == [1, 2]
    assert by_category["1"]["share"] == 1.0


def test_categories_of_equal_weight_are_ranked_by_name(tmp_path: Path) -> None:
    found = favourites(tmp_path, "features/buyer_category", [("click", 3), ("click", 2), ("click", 1)])
    ranked = [row["category"] for row in found if row["depth"] == 4]
    assert ranked == ["1/2/10/100", "1/2/10/101", "1/3/20/200"]


def test_a_shop_that_was_liked_comes_before_one_that_was_clicked(tmp_path: Path) -> None:
    found = favourites(tmp_path, "features/buyer_shop", [("like_shop", 2), ("click", 1), ("click", 1)])
    assert {row["shop_id"]: row["buyer_shop_rank"] for row in found} == {8: 1, 7: 2}


def test_a_category_that_weighs_nothing_has_no_share_and_breaks_nothing(tmp_path: Path) -> None:
    weights = Weights(view=0)
    found = favourites(tmp_path, "features/buyer_category", [("view", 1)], weights=weights)
    assert {row["share"] for row in found} == {0.0}
