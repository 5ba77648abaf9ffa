"""A day of the simulated marketplace: what arrives, and that it is always the same."""

import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pyarrow as pa
import pytest
from bson import ObjectId

from rankloop.calendar import start_of
from rankloop.contracts.marketplace import BUYERS, COLLECTIONS, IMPRESSIONS, INTERACTIONS, KEYS, PRODUCTS, SCHEMAS
from rankloop_demo.simulator.living import Arrivals, Marketplace, live

DAY = date(2026, 10, 4)
HIDDEN = {"list", "utility", "mind", "quality", "taste", "probability", "popularity"}
PYTHON_TYPES = {
    pa.int64(): bson.Int64,
    pa.int32(): int,
    pa.float64(): float,
    pa.string(): str,
    pa.bool_(): bool,
    pa.timestamp("ms", tz="UTC"): datetime,
}


def documents(arrivals: Arrivals, collection: str) -> list[dict[str, Any]]:
    """What arrives, as MongoDB would give it back."""
    both = [*arrivals.new.get(collection, []), *arrivals.changed.get(collection, [])]
    raw = (entry if isinstance(entry, bytes) else bson.encode(entry) for entry in both)
    return [bson.decode(entry, bson.CodecOptions(tz_aware=True)) for entry in raw]


def everything(arrivals: Arrivals) -> list[Any]:
    return [documents(arrivals, collection) for collection in COLLECTIONS]


@pytest.fixture(scope="module")
def history(clean_place: Marketplace) -> list[Arrivals]:
    """The first four days, each going on from the one before."""
    days, tomorrow = [], None
    for number in range(4):
        days.append(live(clean_place, clean_place.first_day + timedelta(days=number), 0, tomorrow))
        tomorrow = days[-1].tomorrow
    return days


def test_a_day_lived_on_its_own_is_the_day_lived_after_the_others(
    clean_place: Marketplace, history: list[Arrivals]
) -> None:
    assert everything(live(clean_place, DAY, 0)) == everything(history[3])


def test_dirt_falls_on_the_same_documents_every_time(dirty_place: Marketplace) -> None:
    once, again = (live(dirty_place, DAY, 1) for _ in range(2))
    assert everything(once) == everything(again)
    assert once.stains == again.stains


def test_another_process_lives_the_same_day(history: list[Arrivals]) -> None:
    code = (
        "from datetime import date; from rankloop_demo.simulator.living import Marketplace, live\n"
        "place = Marketplace(7, 0.1, date(2026, 10, 1), 'Asia/Ho_Chi_Minh', dirt=False)\n"
        "print(live(place, date(2026, 10, 4), 0).new['impressions'][7].hex())"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == history[3].new[IMPRESSIONS][7].hex()


def test_another_seed_is_another_marketplace(clean_place: Marketplace, history: list[Arrivals]) -> None:
    other = live(replace(clean_place, seed=8), DAY, 0)
    assert documents(other, IMPRESSIONS)[0]["items"] != documents(history[3], IMPRESSIONS)[0]["items"]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_documents_have_the_fields_and_types_of_the_contract(collection: str, history: list[Arrivals]) -> None:
    schema = SCHEMAS[collection]
    for document in documents(history[0], collection):
        of_a_list = document.get("kind") in {None, "click", "like_shop"}
        assert set(schema.names) - set(document) <= (set() if of_a_list else {"request_id"})
        assert set(document) - set(schema.names) == {"_id"}
        for field in schema:
            value = document.get(field.name)
            if value is not None and not pa.types.is_list(field.type):
                assert isinstance(value, PYTHON_TYPES[field.type]), (field.name, value)


def test_a_buyer_has_the_31_fields_of_the_account_system(history: list[Arrivals]) -> None:
    assert len(SCHEMAS[BUYERS]) == 31
    buyers = documents(history[0], BUYERS)
    assert {buyer["created_ip"] for buyer in buyers} == {""}
    assert {buyer["last_payment_method"] for buyer in buyers} == {""}
    assert all(buyer["baid_group"] == buyer["account_id"] % 10 for buyer in buyers)


def test_a_list_is_ordered_by_base_score_and_repeats_no_product(history: list[Arrivals]) -> None:
    for document in documents(history[3], IMPRESSIONS):
        items = document["items"]
        assert len(items) <= 100
        assert [item["position"] for item in items] == list(range(1, len(items) + 1))
        scores = [item["base_score"] for item in items]
        assert scores == sorted(scores, reverse=True)
        assert len({item["product_id"] for item in items}) == len(items)


def test_a_list_is_long_enough_to_be_worth_ranking(dirty_place: Marketplace) -> None:
    lists = documents(live(replace(dirty_place, dirt=False), DAY, 0), IMPRESSIONS)
    assert {60 <= len(entry["items"]) <= 100 for entry in lists} == {True}


def test_only_products_and_buyers_that_are_known_by_then_take_part(history: list[Arrivals]) -> None:
    products: dict[int, str] = {}
    buyers: set[int] = set()
    for arrivals in history:
        products |= {entry["product_id"]: entry["status"] for entry in documents(arrivals, PRODUCTS)}
        buyers |= {entry["account_id"] for entry in documents(arrivals, BUYERS)}
        for document in documents(arrivals, IMPRESSIONS):
            assert document["account_id"] in buyers
            assert all(products[item["product_id"]] == "active" for item in document["items"])
        assert {entry["product_id"] for entry in documents(arrivals, INTERACTIONS)} <= set(products)


def reactions_and_lists(history: list[Arrivals]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    lists = {entry["request_id"]: entry for arrivals in history for entry in documents(arrivals, IMPRESSIONS)}
    for arrivals in history:
        for reaction in documents(arrivals, INTERACTIONS):
            if "request_id" in reaction:
                yield reaction, lists[reaction["request_id"]]


def test_a_reaction_follows_its_list(history: list[Arrivals]) -> None:
    kinds = Counter[str]()
    for reaction, shown in reactions_and_lists(history):
        assert reaction["account_id"] == shown["account_id"]
        assert reaction["product_id"] in {item["product_id"] for item in shown["items"]}
        assert reaction["ts"] > shown["ts"]
        kinds[reaction["kind"]] += 1
    assert kinds["click"] > kinds["add_to_cart"] > kinds["order"] > 0
    assert kinds["like_shop"] > 0


def test_what_arrives_on_a_day_happened_on_it(clean_place: Marketplace, history: list[Arrivals]) -> None:
    start, end = (start_of(day, clean_place.zone) for day in (DAY, DAY + timedelta(days=1)))
    for collection in (IMPRESSIONS, INTERACTIONS):
        assert all(start <= entry["ts"] < end for entry in documents(history[3], collection))


def test_carts_and_orders_run_over_midnight(history: list[Arrivals]) -> None:
    carried = [
        reaction for reaction, shown in reactions_and_lists(history) if reaction["ts"].date() != shown["ts"].date()
    ]
    assert carried


def test_no_identity_is_given_twice(history: list[Arrivals]) -> None:
    for collection in (IMPRESSIONS, INTERACTIONS):
        entries = [entry for arrivals in history for entry in documents(arrivals, collection)]
        for key in ("_id", KEYS[collection]):
            assert len({entry[key] for entry in entries}) == len(entries)


def test_an_object_id_carries_the_second_of_arrival(history: list[Arrivals]) -> None:
    for document in documents(history[3], IMPRESSIONS):
        assert abs(document["_id"].generation_time - document["ts"]) < timedelta(seconds=1)


def test_nothing_hidden_is_written(history: list[Arrivals]) -> None:
    for arrivals in history:
        for collection in COLLECTIONS:
            for entry in documents(arrivals, collection):
                assert not HIDDEN & set(entry)
                assert not HIDDEN & {name for item in entry.get("items", []) for name in item}


def test_a_day_on_which_the_clocks_change_holds_its_own_events(clean_place: Marketplace) -> None:
    place = replace(clean_place, timezone="Europe/Berlin", first_day=date(2026, 10, 24))
    short_zone = ZoneInfo("Europe/Berlin")
    arrivals = live(place, date(2026, 10, 25), 0)
    start, end = start_of(date(2026, 10, 25), short_zone), start_of(date(2026, 10, 26), short_zone)
    assert end - start == timedelta(hours=25)
    instants = [entry["ts"] for entry in documents(arrivals, IMPRESSIONS)]
    assert all(start <= instant < end for instant in instants)
    assert max(instants) > start + timedelta(hours=24)


def test_a_day_before_the_first_is_refused(clean_place: Marketplace) -> None:
    with pytest.raises(ValueError, match=r"2026-09-30 is before 2026-10-01, the first day"):
        live(clean_place, date(2026, 9, 30), 0)


def test_late_reactions_carry_the_day_of_their_arrival(dirty_place: Marketplace) -> None:
    arrivals = live(dirty_place, DAY, 0)
    late = {stain.id: stain.key for stain in arrivals.stains if stain.kind == "late"}
    assert late
    start = start_of(DAY, dirty_place.zone)
    found = {str(entry["_id"]): entry for entry in documents(arrivals, INTERACTIONS)}
    for identity, key in late.items():
        entry = found[identity]
        assert entry["interaction_id"] == key
        assert ObjectId(identity).generation_time >= start.astimezone(UTC)


def test_a_marketplace_is_small_enough_to_send_to_a_process(dirty_place: Marketplace) -> None:
    assert dirty_place.blocks > 1
    assert len(pickle.dumps(dirty_place)) < 1000
