"""Each scenario changes what it is meant to change, from its day on, and nothing else."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from rankloop_demo.simulator.catalogue import price_as_sent, product_documents
from rankloop_demo.simulator.living import Marketplace, happen
from rankloop_demo.simulator.market_day import TET_DAYS, market_day
from rankloop_demo.simulator.reactions import Reactions
from rankloop_demo.simulator.scenarios import WAVE_SHARE, Scenarios
from rankloop_demo.simulator.vocabulary import TET
from rankloop_demo.simulator.world import FIRST_SHOP_ID

BEGIN = date(2026, 10, 10)


def with_scenario(place: Marketplace, name: str) -> Marketplace:
    return replace(place, scenarios=Scenarios({name: BEGIN}))


@pytest.mark.parametrize("name", ["tet_campaign", "taste_shift", "new_shop_wave", "unit_bug"])
def test_before_its_day_a_scenario_changes_nothing(name: str, clean_place: Marketplace) -> None:
    day = BEGIN - timedelta(days=1)
    lists, reactions = happen(clean_place, day, 0)
    lists_with, reactions_with = happen(with_scenario(clean_place, name), day, 0)
    assert np.array_equal(lists.products, lists_with.products)
    assert np.array_equal(reactions.second, reactions_with.second)


def test_tet_campaign_lowers_prices_and_moves_demand_to_some_categories(dirty_place: Marketplace) -> None:
    place = with_scenario(dirty_place, "tet_campaign")
    before, during = dirty_place.market(BEGIN), place.market(BEGIN)
    seasonal = place.world.words.season[place.world.products.leaf] == TET
    assert (during.price[seasonal] < before.price[seasonal]).mean() > 0.95
    assert np.array_equal(during.price[~seasonal], before.price[~seasonal])

    def shown(marketplace: Marketplace) -> float:
        lists, _ = happen(marketplace, BEGIN, 0)
        return float(seasonal[lists.products[lists.shown]].mean())

    assert shown(place) > shown(dirty_place) + 0.05


def test_tet_campaign_ends(clean_place: Marketplace) -> None:
    after = BEGIN + timedelta(days=21)
    assert np.array_equal(
        with_scenario(clean_place, "tet_campaign").market(after).price, clean_place.market(after).price
    )


def test_taste_shift_changes_what_is_clicked_but_not_what_is_shown(dirty_place: Marketplace) -> None:
    place = with_scenario(dirty_place, "taste_shift")
    lists, reactions = happen(dirty_place, BEGIN, 0)
    shifted, other = happen(place, BEGIN, 0)
    assert np.array_equal(lists.products, shifted.products)
    assert np.array_equal(lists.base_score, shifted.base_score)
    goods, people = place.world.products, place.world.buyers

    def clicked(reacted: Reactions) -> tuple[float, float]:
        """How dear what is clicked is, and how much of it is of the buyer's favourite leaf."""
        favourite = goods.leaf[reacted.product] == people.leaves[reacted.buyer, 0]
        return float(goods.price_level[reacted.product].mean()), float(favourite.mean())

    (dear, of_favourite), (dear_before, of_favourite_before) = clicked(other), clicked(reactions)
    assert dear < 0.7 * dear_before
    assert of_favourite < 0.8 * of_favourite_before


def test_new_shop_wave_brings_cold_products(dirty_place: Marketplace) -> None:
    place = with_scenario(dirty_place, "new_shop_wave")
    on_sale, with_wave = dirty_place.market(BEGIN).on_sale, place.market(BEGIN).on_sale
    came = with_wave & ~on_sale
    assert came.sum() / on_sale.sum() == pytest.approx(WAVE_SHARE, rel=0.05)
    created = product_documents(place.world, place.market(BEGIN), place.zone, np.flatnonzero(came)[:5])
    assert {entry["created_at"].date() for entry in created} == {BEGIN}


def test_unit_bug_sends_one_shops_prices_in_thousands_and_changes_no_behaviour(dirty_place: Marketplace) -> None:
    place = with_scenario(dirty_place, "unit_bug")
    sent = price_as_sent(place.world, place.market(BEGIN))[1]
    true = price_as_sent(dirty_place.world, dirty_place.market(BEGIN))[1]
    wrong = sent != true
    assert len(np.unique(place.world.products.shop[wrong])) == 1
    assert np.allclose(sent[wrong], true[wrong] / 1000, atol=1)
    assert np.array_equal(happen(place, BEGIN, 0)[1].product, happen(dirty_place, BEGIN, 0)[1].product)
    document = product_documents(place.world, place.market(BEGIN), place.zone, np.flatnonzero(wrong)[:1])[0]
    assert document["shop_id"] >= FIRST_SHOP_ID
    assert document["final_price"] < 100_000


def test_tet_itself_is_a_season(clean_place: Marketplace) -> None:
    eve = TET_DAYS[2] - timedelta(days=1)
    assert eve == date(2027, 2, 5)
    ordinary = market_day(clean_place.world, date(2026, 11, 3), Scenarios())
    assert market_day(clean_place.world, eve, Scenarios()).demand > 1.3 * ordinary.demand
