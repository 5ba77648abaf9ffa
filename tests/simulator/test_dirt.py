"""Dirt: what is recorded is there, and nothing else is dirty."""

import unicodedata
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import bson
import pyarrow as pa
import pytest

from rankloop.contracts.marketplace import COLLECTIONS, IMPRESSIONS, INTERACTIONS, KEYS, KINDS, SCHEMAS
from rankloop_demo.simulator.dirt import DUPLICATES, SOILS, Stain
from rankloop_demo.simulator.living import Marketplace, live

DAYS = 4
Known = set[int]


@pytest.fixture(scope="module")
def life(dirty_place: Marketplace) -> tuple[dict[str, list[dict[str, Any]]], list[Stain]]:
    """Every document of some days, as MongoDB would give it back, and every stain recorded."""
    found: dict[str, list[dict[str, Any]]] = {collection: [] for collection in COLLECTIONS}
    stains: list[Stain] = []
    for block in range(dirty_place.blocks):
        tomorrow = None
        for number in range(DAYS):
            arrivals = live(dirty_place, dirty_place.first_day + timedelta(days=number), block, tomorrow)
            tomorrow = arrivals.tomorrow
            stains += arrivals.stains
            for state in (arrivals.new, arrivals.changed):
                for collection, entries in state.items():
                    raw = (entry if isinstance(entry, bytes) else bson.encode(entry) for entry in entries)
                    found[collection] += [bson.decode(entry, bson.CodecOptions(tz_aware=True)) for entry in raw]
    return found, stains


def _is_of(value: object, kind: pa.DataType) -> bool:
    if pa.types.is_integer(kind):
        return isinstance(value, int)
    if pa.types.is_timestamp(kind):
        return isinstance(value, datetime)
    if pa.types.is_string(kind):
        return isinstance(value, str)
    if pa.types.is_floating(kind):
        return isinstance(value, float)
    return isinstance(value, list | bool)


def faults(collection: str, entry: dict[str, Any], products: Known, lists: set[str], last: date) -> set[str]:
    """What an inspector who knows nothing of how dirt is made finds wrong with a document."""
    found: set[str] = set()
    for field in SCHEMAS[collection]:
        if field.name not in entry:
            # What came by no list names none.
            found |= {"missing_field"} if field.name != "request_id" or collection == IMPRESSIONS else set()
            continue
        value = entry[field.name]
        if value is not None and not _is_of(value, field.type):
            found.add("wrong_type")
        if isinstance(value, str) and " ".join(value.split()) != value:
            found.add("white_space")
        if isinstance(value, str) and unicodedata.normalize("NFC", value) != value:
            found.add("decomposed_unicode")
        if "price" in field.name and isinstance(value, int) and value <= 0:
            found.add("bad_price")
    if isinstance(entry.get("ts"), datetime) and entry["ts"].date() > last:
        found.add("future_time")
    shown = {item["product_id"] for item in entry.get("items", [])} | {entry.get("product_id")} - {None}
    if shown - products:
        found.add("unknown_product")
    if collection == INTERACTIONS and entry.get("request_id") is not None and entry["request_id"] not in lists:
        found.add("no_list")
    return found


def test_every_stain_is_found_in_its_document_and_no_other_document_is_dirty(
    dirty_place: Marketplace, life: tuple[dict[str, list[dict[str, Any]]], list[Stain]]
) -> None:
    documents, stains = life
    products = {entry["product_id"] for entry in documents["products"]}
    lists = {entry["request_id"] for entry in documents[IMPRESSIONS]}
    last = dirty_place.first_day + timedelta(days=DAYS)
    found = Counter(
        (collection, fault, str(entry["_id"]))
        for collection, entries in documents.items()
        for entry in entries
        for fault in faults(collection, entry, products, lists, last)
    )
    # A product or buyer may be sent dirty on one day and again on another, under the same identity.
    recorded = {(stain.collection, stain.kind, stain.id) for stain in stains if stain.kind not in {"duplicate", "late"}}
    assert set(found) == recorded


def test_every_kind_of_dirt_happens(life: tuple[dict[str, list[dict[str, Any]]], list[Stain]]) -> None:
    kinds = {(stain.collection, stain.kind) for stain in life[1]}
    expected = {(collection, kind) for collection, soils in SOILS.items() for kind in soils}
    expected |= {(collection, "duplicate") for collection in DUPLICATES} | {(INTERACTIONS, "late")}
    assert kinds == expected


@pytest.mark.parametrize("collection", list(DUPLICATES))
def test_a_duplicate_differs_from_the_first_in_its_identity_alone(
    collection: str, life: tuple[dict[str, list[dict[str, Any]]], list[Stain]]
) -> None:
    documents, stains = life
    by_id = {str(entry["_id"]): entry for entry in documents[collection]}
    keys = Counter(entry.get(KEYS[collection]) for entry in documents[collection])
    again = [stain for stain in stains if (stain.collection, stain.kind) == (collection, "duplicate")]
    assert {key for key, count in keys.items() if count > 1} == {stain.key for stain in again}
    for stain in again:
        twins = [entry for entry in documents[collection] if entry.get(KEYS[collection]) == stain.key]
        first, second = ({name: value for name, value in twin.items() if name != "_id"} for twin in twins)
        assert first == second
        assert stain.id in by_id


def test_dirt_is_rare(life: tuple[dict[str, list[dict[str, Any]]], list[Stain]]) -> None:
    documents, stains = life
    for collection in (IMPRESSIONS, INTERACTIONS):
        share = sum(stain.collection == collection for stain in stains) / len(documents[collection])
        assert 0.001 < share < 0.02


def test_clean_reactions_are_of_known_kinds(life: tuple[dict[str, list[dict[str, Any]]], list[Stain]]) -> None:
    documents, stains = life
    stained = {stain.id for stain in stains}
    assert {entry["kind"] for entry in documents[INTERACTIONS] if str(entry["_id"]) not in stained} == set(KINDS)
