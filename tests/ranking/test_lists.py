"""A day's lists as rankers learn from them."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from rankloop.errors import TransientError
from rankloop.features.catalogue import feature_names
from rankloop.ranking import lists as module
from rankloop.ranking.lists import COUNTS, LISTS, LISTS_SCHEMA
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from tests.building import aggregate_day, build_features, lake_of, prepare_day
from tests.features.conftest import DAYS, lived
from tests.features.market import (
    FIRST_DAY,
    DayOfEvents,
    account,
    build,
    day_of,
    instant,
    product,
    put,
    reaction,
    shown_list,
)

__all__ = ["lived"]
DAY, AFTER = FIRST_DAY + timedelta(days=1), FIRST_DAY + timedelta(days=2)
BUYER = 1
GOODS = [product(1), product(2, category_path="1/7/9"), product(3)]


def settings_for(home: Path, **training: Any) -> Settings:  # noqa: ANN401  (any setting)
    return Settings(home=home, training={"idle_share": 1.0, **training})


def lived_in(
    settings: Settings, shown: list[dict[str, Any]], told: Mapping[date, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """The rows of a day with these lists, after a day of its own, with these reactions on it and on the next."""
    build(
        settings,
        {
            FIRST_DAY: day_of(
                FIRST_DAY, shown=shown_list(FIRST_DAY, "q0", BUYER, [1]), products=GOODS, buyers=[account(BUYER)]
            )
        },
    )
    for day, events in ((DAY, shown), (AFTER, ())):
        put(settings, day, day_of(day, shown=events, reactions=told.get(day, ()), products=GOODS))
    prepare_day(settings, DAY)
    rows: list[dict[str, Any]] = lake_of(settings).read(LISTS, [DAY]).to_pylist()
    return rows


def labels(rows: list[dict[str, Any]]) -> dict[int, int]:
    return {row["product_id"]: row["label"] for row in rows}


def test_the_highest_reaction_to_a_product_of_the_list_is_its_label(tmp_path: Path) -> None:
    told = [
        *(reaction(DAY, kind, BUYER, 1, request_id="q1") for kind in ("click", "order", "add_to_cart")),
        reaction(DAY, "click", BUYER, 2, request_id="q1"),
    ]
    rows = lived_in(settings_for(tmp_path), shown_list(DAY, "q1", BUYER, [1, 2, 3]), {DAY: told})
    assert labels(rows) == {1: 3, 2: 1, 3: 0}


def test_what_names_no_list_or_another_or_likes_a_shop_or_only_looks_is_no_label(tmp_path: Path) -> None:
    told = [
        reaction(DAY, "order", BUYER, 1),
        reaction(DAY, "click", BUYER, 1, request_id="q0"),
        reaction(DAY, "like_shop", BUYER, 1, request_id="q1"),
        reaction(DAY, "view", BUYER, 1, request_id="q1"),
    ]
    rows = lived_in(settings_for(tmp_path), shown_list(DAY, "q1", BUYER, [1, 2]), {DAY: told})
    assert labels(rows) == {1: 0, 2: 0}


@pytest.mark.stack
@pytest.mark.parametrize(("hour", "second", "label"), [(11, 0, 3), (12, 0, 3), (12, 1, 0)])
def test_a_reaction_counts_up_to_a_day_after_its_list_though_midnight_lies_between(
    tmp_path: Path, hour: int, second: int, label: int
) -> None:
    late = reaction(AFTER, "order", BUYER, 1, request_id="q1", ts=instant(AFTER, hour, second))
    rows = lived_in(settings_for(tmp_path), shown_list(DAY, "q1", BUYER, [1]), {AFTER: [late]})
    assert labels(rows) == {1: label}


def test_idle_lists_are_counted_and_only_a_share_of_them_is_kept_at_its_weight(tmp_path: Path) -> None:
    idle = [row for number in range(200) for row in shown_list(DAY, f"i{number}", BUYER, [1, 2])]
    click = [reaction(DAY, "click", BUYER, 1, request_id="q1")]
    rows = lived_in(
        settings_for(tmp_path, idle_share=0.25), [*shown_list(DAY, "q1", BUYER, [1, 2]), *idle], {DAY: click}
    )
    weights = {row["request_id"]: row["weight"] for row in rows}
    assert weights.pop("q1") == 1
    assert 25 < len(weights) < 75
    assert set(weights.values()) == {4.0}
    [counts] = lake_of(settings_for(tmp_path)).read(COUNTS, [DAY]).to_pylist()
    wanted = {"lists": 201, "lists_with_reaction": 1, "lists_kept": len(weights) + 1, "shown": 402, "clicked": 1}
    assert {name: counts[name] for name in wanted} == wanted


@pytest.mark.stack
def test_rows_say_which_segments_they_belong_to(tmp_path: Path) -> None:
    rows = lived_in(settings_for(tmp_path), shown_list(DAY, "q1", BUYER, [1, 2, 77]), {})
    by_product = {row["product_id"]: row for row in rows}
    assert [by_product[number]["segment_category"] for number in (1, 2, 77)] == ["1/2", "1/7", "unknown"]
    assert {row["segment_product"] for row in rows} == {"cold"}
    assert {row["segment_buyer"] for row in rows} == {"regular"}
    stranger = lived_in(settings_for(tmp_path / "other"), shown_list(DAY, "q1", 99, [1]), {})
    assert (stranger[0]["segment_buyer"], stranger[0]["segment_city"]) == ("new", "unknown")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]) -> Settings:
    """Four days of a small market, with features as of the first two."""
    settings = settings_for(tmp_path_factory.mktemp("market"), idle_share=0.3)
    for day in DAYS:
        put(settings, day, lived[day])
    for day in DAYS[:2]:
        aggregate_day(settings, day)
        build_features(settings, day)
    prepare_day(settings, DAYS[1])
    return settings


def test_lists_lie_one_after_the_other_in_the_order_of_their_places(market: Settings) -> None:
    rows = lake_of(market).read(LISTS, [DAYS[1]], ["request_id", "position"]).to_pylist()
    places = [(row["request_id"], row["position"]) for row in rows]
    assert places == sorted(places)


def test_a_day_prepared_again_is_the_same_day(market: Settings) -> None:
    before = lake_of(market).digest(LISTS, DAYS[1])
    made = prepare_day(market, DAYS[1], again=True)
    assert (made.skipped, made.facts.tables[0].digest) == (False, before)


def test_a_day_made_from_the_same_inputs_is_not_made_again(market: Settings) -> None:
    version = lake_of(market).version(LISTS)
    made = prepare_day(market, DAYS[1])
    assert made.skipped
    assert lake_of(market).version(LISTS) == version
    assert made.counts == prepare_day(market, DAYS[1], again=True).counts


@pytest.mark.stack
def test_a_day_is_made_again_once_a_setting_that_shapes_it_is_another(market: Settings) -> None:
    other = market.model_copy(update={"training": market.training.model_copy(update={"label_hours": 1})})
    assert not prepare_day(other, DAYS[1]).skipped
    assert not prepare_day(market, DAYS[1]).skipped


@pytest.mark.stack
def test_a_day_cut_into_portions_has_the_same_rows(market: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepare_day(market, DAYS[1], again=True)
    monkeypatch.setattr(module, "PORTION_ROWS", whole.facts.tables[0].rows // 3)
    assert prepare_day(market, DAYS[1], again=True).facts.tables[0].digest == whole.facts.tables[0].digest


@pytest.mark.stack
def test_a_day_that_does_not_fit_into_memory_is_prepared_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path).model_copy(update={"features": FeatureSettings(memory="160MB")})
    buyers, many, length = range(1000), 200, 80
    goods = [
        product(
            number,
            name=f"máy_may số_{number % 40}",
            category_path=f"1/{number % 4}/{number % 20}/{number % 50}",
            shop_id=number % 30,
        )
        for number in range(many)
    ]
    # One buyer, as a robot may, asks for every other list.
    lists = {
        day: [
            row
            for buyer in buyers
            for row in shown_list(
                day, f"{day}-{buyer}", buyer * (buyer % 2), [(buyer * 7 + place) % many for place in range(length)]
            )
        ]
        for day in (FIRST_DAY, DAY)
    }
    clicks = [
        reaction(FIRST_DAY, "click", buyer, (buyer * 7 + step) % many) for buyer in buyers for step in (0, 31, 62)
    ]
    accounts = [account(buyer) for buyer in buyers]
    before = day_of(FIRST_DAY, shown=lists[FIRST_DAY], reactions=clicks, products=goods, buyers=accounts)
    build(settings, {FIRST_DAY: before})
    for day, events in ((DAY, lists[DAY]), (AFTER, ())):
        put(settings, day, day_of(day, shown=events, products=goods))
    monkeypatch.setattr(module, "PORTION_ROWS", len(lists[DAY]) // 2)
    assert prepare_day(settings, DAY).facts.tables[0].rows == len(lists[DAY])


def test_the_table_has_every_feature_and_no_other_input(market: Settings) -> None:
    assert set(feature_names()) <= set(LISTS_SCHEMA.names)
    assert lake_of(market).read(LISTS, [DAYS[1]]).schema.names == LISTS_SCHEMA.names


def test_a_day_whose_reactions_are_not_all_in_is_refused(market: Settings) -> None:
    with pytest.raises(TransientError, match=r"events/products of 2026-10-05"):
        prepare_day(market, DAYS[-1])
