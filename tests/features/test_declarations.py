"""Features and fields say what they are: the sets that monitoring goes by are the ones that it was tuned with."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import pytest

from rankloop.contracts.sources import ITEM_FIELDS, SOURCES
from rankloop.features.catalogue import FEATURES, feature_named
from rankloop.features.declarations import Feature

SNAPSHOT = {
    *("product_price", "product_discount", "product_free_ship", "product_price_quartile", "product_price_rank"),
    *("product_price_to_median", "shop_products", "shop_discount", "shop_price_level"),
    *("buyer_gender", "buyer_city_id", "buyer_city_rank", "buyer_city_tier"),
}
TRAFFIC = ("*_1d", "*_7d", "*_28d", "*_trend_*")
CODES = ("*_id", "*_gender", "*_tier")
AMOUNTS = ("*price", "*price_to_median", "*quantity")


def names_where(holds: Callable[[Feature], bool]) -> set[str]:
    return {feature.name for feature in FEATURES if holds(feature)}


def names_like(*patterns: str) -> set[str]:
    return names_where(lambda feature: any(fnmatchcase(feature.name, pattern) for pattern in patterns))


def test_snapshot_features_are_those_that_count_no_event() -> None:
    assert names_where(lambda feature: feature.snapshot) == SNAPSHOT


@pytest.mark.parametrize(
    ("declared", "patterns"),
    [
        (lambda feature: feature.counts_traffic, TRAFFIC),
        (lambda feature: feature.kind == "code", CODES),
        (lambda feature: feature.kind == "amount", AMOUNTS),
        (lambda feature: feature.same_all_day, ("context_weekday",)),
    ],
    ids=["traffic", "codes", "amounts", "same all day"],
)
def test_declarations_pick_the_features_that_the_policy_was_tuned_on(
    declared: Callable[[Feature], bool], patterns: tuple[str, ...]
) -> None:
    assert names_where(declared) == names_like(*patterns)


def test_fields_that_are_amounts_say_so() -> None:
    fields = [(source.collection, field) for source in SOURCES.values() for field in (*source.fields, *ITEM_FIELDS)]
    for collection, field in fields:
        by_name = any(fnmatchcase(f"{collection}.{field.target}", pattern) for pattern in AMOUNTS)
        assert field.amount == by_name, (collection, field.target)


def test_only_the_catalogue_of_products_grows_slowly() -> None:
    assert [name for name, source in SOURCES.items() if source.grows_slowly] == ["products"]


def test_a_flag_or_a_code_counts_no_traffic() -> None:
    assert not names_where(lambda feature: feature.counts_traffic and feature.kind in {"flag", "code", "clock"})


def test_a_feature_is_found_by_its_name_and_an_unknown_one_is_none() -> None:
    found = feature_named("buyer_city_tier")
    assert found is not None
    assert found.kind == "code"
    assert feature_named("buyer_shoe_size") is None
