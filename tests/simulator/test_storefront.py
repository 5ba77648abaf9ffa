"""The closed loop: who is shown our rankings, what stays as it was, and what the days come to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import bson
import numpy as np
import pytest
from tests.simulator.batches import oracle, ranking_of

from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS
from rankloop.experiment import is_control
from rankloop.state.rankings import Ranking
from rankloop_demo.simulator.living import Arrivals, Marketplace, live
from rankloop_demo.simulator.storefront import as_rankings

DAY = date(2026, 10, 4)
Documents = dict[str, dict[str, Any]]


def lived(place: Marketplace, rankings: Sequence[Ranking] | None) -> Arrivals:
    return live(place, DAY, 0, rankings=None if rankings is None else as_rankings(place.world, rankings))


def by_key(arrivals: Arrivals, collection: str, key: str) -> Documents:
    raw = (entry if isinstance(entry, bytes) else bson.encode(entry) for entry in arrivals.new[collection])
    return {entry[key]: entry for entry in map(bson.decode, raw)}


def lists_of(arrivals: Arrivals) -> Documents:
    return by_key(arrivals, IMPRESSIONS, "request_id")


def products_of(entry: dict[str, Any]) -> list[int]:
    return [item["product_id"] for item in entry["items"]]


@pytest.fixture(scope="module")
def base(clean_place: Marketplace) -> Arrivals:
    return lived(clean_place, None)


@pytest.fixture(scope="module")
def best(clean_place: Marketplace) -> list[Ranking]:
    """What every buyer likes best, for those who are not control."""
    rankings = oracle(clean_place, DAY)
    control = is_control([one.account_id for one in rankings], clean_place.control_share)
    return [one for one, stays in zip(rankings, control, strict=True) if not stays]


@pytest.fixture(scope="module")
def loop(clean_place: Marketplace, best: list[Ranking]) -> Arrivals:
    return lived(clean_place, best)


def ours(loop: Arrivals, best: Sequence[Ranking]) -> Documents:
    """The lists that should be personalised, by what the documents say of them."""
    known = {one.account_id for one in best}
    return {
        name: entry
        for name, entry in lists_of(loop).items()
        if entry["surface"] == "home" and entry["account_id"] in known
    }


def test_home_lists_hold_the_buyers_ranking_as_long_as_the_base_list(
    base: Arrivals, loop: Arrivals, best: list[Ranking]
) -> None:
    before, wanted = lists_of(base), {one.account_id: one for one in best}
    personalised = ours(loop, best)
    assert len(personalised) > 100
    for name, entry in personalised.items():
        ranking = wanted[entry["account_id"]]
        length = min(len(before[name]["items"]), len(ranking.products))
        assert products_of(entry) == list(ranking.products[:length])
        assert [item["base_score"] for item in entry["items"]] == list(ranking.base_scores[:length])
        assert [item["position"] for item in entry["items"]] == list(range(1, length + 1))
        assert entry["policy"] == "version 1"
        assert all(entry[field] == before[name][field] for field in ("ts", "account_id", "surface", "_id"))


def test_every_other_list_is_the_same_to_the_last_byte(base: Arrivals, loop: Arrivals, best: list[Ranking]) -> None:
    personalised = ours(loop, best)
    before = lists_of(base)
    assert {before[name]["surface"] for name in set(before) - set(personalised)} == {"home", "category", "search"}
    pairs = zip(base.new[IMPRESSIONS], loop.new[IMPRESSIONS], strict=True)
    changed = {bson.decode(after)["request_id"] for before, after in pairs if before != after}
    assert changed == set(personalised)


def test_reactions_to_every_other_list_and_to_none_are_the_same_to_the_last_byte(
    base: Arrivals, loop: Arrivals, best: list[Ranking]
) -> None:
    personalised = set(ours(loop, best))

    def others(arrivals: Arrivals) -> Documents:
        found = by_key(arrivals, INTERACTIONS, "interaction_id")
        return {name: entry for name, entry in found.items() if entry.get("request_id") not in personalised}

    assert others(base) == others(loop)
    assert any("request_id" not in entry for entry in others(loop).values())


def test_reactions_to_a_personalised_list_are_to_products_that_it_shows(loop: Arrivals, best: list[Ranking]) -> None:
    shown = {name: set(products_of(entry)) for name, entry in ours(loop, best).items()}
    reactions = by_key(loop, INTERACTIONS, "interaction_id")
    of_them = [entry for entry in reactions.values() if entry.get("request_id") in shown]
    assert {entry["kind"] for entry in of_them} == {"click", "like_shop", "add_to_cart", "order"}
    assert all(entry["product_id"] in shown[entry["request_id"]] for entry in of_them)
    assert len(reactions) == len(loop.new[INTERACTIONS])


def test_no_rankings_are_a_day_of_base_lists(clean_place: Marketplace, base: Arrivals) -> None:
    assert lived(clean_place, []).new == base.new


def test_what_is_not_on_sale_is_not_shown(clean_place: Marketplace, base: Arrivals) -> None:
    market, world = clean_place.market(DAY), clean_place.world
    gone, sold = np.flatnonzero(~market.on_sale), np.flatnonzero(market.on_sale)
    mixed = np.column_stack([gone[:30], sold[:30]]).ravel()
    buyers = np.arange(len(world.buyers.id))
    some = [ranking_of(clean_place, buyer, mixed if buyer % 2 else gone[:50], "version 2") for buyer in buyers]
    unknown = [replace(one, products=(1, *one.products[1:])) for one in some]  # no product has that number
    before, after = lists_of(base), lists_of(lived(clean_place, unknown))
    wanted = world.products.id[sold[:30]].tolist()
    for name, entry in after.items():
        if entry["surface"] != "home" or not (entry["account_id"] - world.buyers.id[0]) % 2:
            assert entry == before[name]  # of a ranking that is sold out, nothing can be shown
        else:
            assert products_of(entry) == wanted[: len(before[name]["items"])]


def test_dirt_falls_on_personalised_lists_too(clean_place: Marketplace, best: list[Ranking]) -> None:
    dirty = replace(clean_place, dirt=True)
    once, again = (lived(dirty, best) for _ in range(2))
    assert once.new == again.new
    assert once.stains == again.stains
    assert once.stains


def ctr(arrivals: Arrivals, lists: Documents, k: int = 10) -> float:
    """Clicks on the first k products over the products shown there."""
    reactions = by_key(arrivals, INTERACTIONS, "interaction_id").values()
    clicks = {(entry["request_id"], entry["product_id"]) for entry in reactions if entry["kind"] == "click"}
    first = [(name, product) for name, entry in lists.items() for product in products_of(entry)[:k]]
    return sum(pair in clicks for pair in first) / len(first)


def test_a_good_ranking_beats_control_and_a_bad_one_loses(
    clean_place: Marketplace, loop: Arrivals, best: list[Ranking]
) -> None:
    worst = oracle(clean_place, DAY, sign=-1)
    bad = lived(clean_place, worst)
    control = {
        name: entry
        for name, entry in lists_of(loop).items()
        if entry["surface"] == "home" and entry["policy"] == "base"
    }
    assert ctr(loop, ours(loop, best)) > 3 * ctr(loop, control)
    assert ctr(bad, ours(bad, worst)) < 0.5 * ctr(loop, control)
