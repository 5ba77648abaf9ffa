"""A day's rows are repaired, kept, or rejected with the right reason; none is lost."""

import unicodedata
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Int64

from rankloop.contracts.lake import BUYERS as BUYERS_TABLE
from rankloop.contracts.lake import EVENTS, REACTIONS, SHOWN
from rankloop.contracts.lake import PRODUCTS as PRODUCTS_TABLE
from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, PRODUCTS
from rankloop.events.checks import DayRejectedError
from rankloop.events.cleaning import clean_events
from rankloop.events.summaries import MissingStepError, day_summaries
from tests.events.shop import DAY, NEXT_DAY, NIGHT, Shop, a_buyer, a_list, a_product, a_reaction, arriving, at

pytestmark = pytest.mark.stack


def test_a_clean_day_is_kept_whole(shop: Shop) -> None:
    facts = shop.clean()
    assert {name: (source.rows_in, source.rows) for name, source in facts.sources.items()} == {
        BUYERS: (2, 2), PRODUCTS: (3, 3), IMPRESSIONS: (6, 6), INTERACTIONS: (2, 2),
    }  # fmt: skip
    assert shop.rejected() == []
    shown = shop.rows(SHOWN)
    assert {(row["request_id"], row["product_id"], row["position"]) for row in shown} == {
        (name, place, place) for name in ("q1", "q2") for place in (1, 2, 3)
    }
    [click] = [row for row in shop.rows(REACTIONS) if row["interaction_id"] == "i2"]
    assert (click["ts"], click["request_id"], click["price"]) == (at(22), "q2", 80_000)
    [buyer] = [row for row in shop.rows(BUYERS_TABLE) if row["account_id"] == 11]
    assert (buyer["created_at"].isoformat(), buyer["last_payment_method"]) == ("2026-01-01T03:00:00+00:00", None)


REJECTED: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = [
    (INTERACTIONS, a_reaction("x", at(12), price=Int64(0)), (1, "x", "bad_price", "price", "0")),
    (INTERACTIONS, a_reaction("x", at(12), price=Int64(-5)), (1, "x", "bad_price", "price", "-5")),
    (INTERACTIONS, a_reaction("x", at(12), kind="peek"), (1, "x", "unknown_kind", "kind", "peek")),
    (INTERACTIONS, a_reaction("x", at(12), kind=" \t"), (1, "x", "missing_field", "kind", "")),
    (INTERACTIONS, a_reaction("x", at(12), kind=None), (1, "x", "missing_field", "kind", None)),
    (INTERACTIONS, a_reaction("x", at(12), quantity=-1), (1, "x", "bad_quantity", "quantity", "-1")),
    (INTERACTIONS, a_reaction("x", at(12), quantity=2**31 - 1), (1, "x", "bad_quantity", "quantity", "2147483647")),
    (INTERACTIONS, a_reaction("x", at(12), price=Int64(2**62)), (1, "x", "bad_price", "price", str(2**62))),
    (PRODUCTS, a_product(4, original_price=Int64(2**62)), (1, "4", "bad_price", "original_price", str(2**62))),
    (INTERACTIONS, a_reaction("x", at(12), product_id=9), (1, "x", "unknown_product", "product_id", "9")),
    (INTERACTIONS, a_reaction("x", at(12), account_id=9), (1, "x", "unknown_buyer", "account_id", "9")),
    (INTERACTIONS, a_reaction("x", at(12), request_id="q9"), (1, "x", "no_list", "request_id", "q9")),
    (INTERACTIONS, a_reaction("x", at(12), request_id=5), (1, "x", "wrong_type", "request_id", "5")),
    (INTERACTIONS, a_reaction("x", at(12), price="80k"), (1, "x", "wrong_type", "price", "'80k'")),
    (INTERACTIONS, a_reaction("x", at(12), _id="own"), (1, "x", "wrong_type", "_id", "'own'")),
    (INTERACTIONS, a_reaction("x", at(12), ts="soon"), (1, "x", "wrong_type", "ts", "'soon'")),
    (INTERACTIONS, a_reaction("i1", at(12)), (1, "i1", "duplicate", "interaction_id", "i1")),
    (IMPRESSIONS, a_list("q2", at(12), _id=arriving(at(22))), (3, "q2", "duplicate", "request_id", "q2")),
    (IMPRESSIONS, a_list("x", at(12), ()), (1, "x", "empty_list", "items", None)),
    (IMPRESSIONS, a_list("x", at(12), items=None), (1, "x", "missing_field", "items", None)),
    (IMPRESSIONS, a_list("x", at(12), account_id=9), (3, "x", "unknown_buyer", "account_id", "9")),
    (IMPRESSIONS, a_list("x", at(12), (1, 9, 3)), (1, "x", "unknown_product", "items.product_id", "9")),
    (IMPRESSIONS, a_list("x", at(12), (1, 2, 1)), (1, "x", "duplicate", "items.product_id", "1")),
    (PRODUCTS, a_product(4, final_price=Int64(0)), (1, "4", "bad_price", "final_price", "0")),
    (PRODUCTS, a_product(4, status="lost"), (1, "4", "unknown_status", "status", "lost")),
    (PRODUCTS, a_product(4, category_path="1//2"), (1, "4", "bad_path", "category_path", "1//2")),
    (PRODUCTS, a_product(3), (1, "3", "duplicate", "product_id", "3")),
    (BUYERS, a_buyer(13, baid_group=13), (1, "13", "bad_group", "baid_group", "13")),
    (BUYERS, a_buyer(13, total_order=-1.0), (1, "13", "bad_count", "total_order", "-1.0")),
    (BUYERS, a_buyer(13, utc_created_at="1/2/26"), (1, "13", "wrong_type", "utc_created_at", "'1/2/26'")),
    (BUYERS, a_buyer(13, gender="F"), (1, "13", "wrong_type", "gender", "'F'")),
]


@pytest.mark.parametrize(("collection", "document", "verdict"), REJECTED)
def test_a_row_that_breaks_a_rule_is_in_quarantine_with_its_reason(
    shop: Shop, collection: str, document: dict[str, Any], verdict: tuple[Any, ...]
) -> None:
    shop.add(collection, document)
    before = asdict(shop.clean())["sources"][collection]
    assert shop.rejected() == [(DAY.isoformat(), collection, *verdict)]
    assert before["rows_in"] == before["rows"] + before["quarantined"]


@pytest.mark.parametrize(
    "identities",
    [
        ({"shop": 1, "number": 1}, {"shop": 1, "number": 2}),
        ("long" * 40 + "1", "long" * 40 + "2"),
        (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)),
        ("a", "a/0"),
    ],
)
def test_documents_whose_names_look_the_same_are_still_two(shop: Shop, identities: tuple[Any, Any]) -> None:
    shop.add(PRODUCTS, *(a_product(4 + n, _id=name, final_price=Int64(0)) for n, name in enumerate(identities)))
    shop.add(INTERACTIONS, *(a_reaction(f"x{n}", at(12), _id=name) for n, name in enumerate(identities)))
    facts = shop.clean()
    # Nothing says when such an event arrived; where its time is right it is of that day.
    assert [(facts.sources[source].quarantined) for source in (PRODUCTS, INTERACTIONS)] == [2, 2]
    assert len({entry["id"] for entry in shop.client["rankloop"]["quarantine"].find()}) == 2
    assert len(shop.rejected()) == 4


def test_of_two_with_one_key_the_first_that_nothing_is_wrong_with_stays(shop: Shop) -> None:
    for minute, changes in enumerate(({"price": Int64(-1)}, {"price": Int64(5)}, {"price": Int64(6)})):
        shop.add(INTERACTIONS, a_reaction("twice", at(12), _id=arriving(at(12 + minute / 60)), **changes))
    shop.clean()
    assert [row["price"] for row in shop.rows(REACTIONS) if row["interaction_id"] == "twice"] == [5]
    assert [entry[4] for entry in shop.rejected()] == ["bad_price", "duplicate"]


def test_texts_are_put_right_and_counted(shop: Shop) -> None:
    parted = unicodedata.normalize("NFD", "máy_may  gia_đình")
    shop.add(PRODUCTS, a_product(4, name=f" {parted}\u00a0\t"))
    shop.add(INTERACTIONS, a_reaction("i3", at(12), kind="\torder", request_id=" q1 "))
    facts = shop.clean()
    assert [row["name"] for row in shop.rows(PRODUCTS_TABLE) if row["product_id"] == 4] == ["máy_may gia_đình"]
    assert facts.sources[PRODUCTS].repairs == {"white_space name": 1, "unicode name": 1}
    assert facts.sources[INTERACTIONS].repairs == {"white_space kind": 1, "white_space request_id": 1}
    assert shop.rejected() == []


def test_what_refers_to_a_rejected_row_is_not_rejected_for_it(shop: Shop) -> None:
    shop.add(PRODUCTS, a_product(4, final_price=Int64(0)))
    shop.add(BUYERS, a_buyer(13, baid_group=13))
    shop.add(IMPRESSIONS, a_list("broken", at(12), (1, 4), account_id="11"), a_list("q3", at(13), (4,), account_id=13))
    shop.add(INTERACTIONS, a_reaction("i3", at(13), request_id="broken", product_id=4, account_id=13))
    shop.clean()
    assert sorted(entry[3] or "" for entry in shop.rejected()) == ["13", "4", "broken"]


def test_a_reaction_after_midnight_knows_the_list_of_the_day_before(shop: Shop) -> None:
    early = at(0.1, NEXT_DAY)
    shop.add(IMPRESSIONS, a_list("q3", at(12, NEXT_DAY)), a_list("broken", at(23), ts="late", _id=arriving(at(23))))
    for name, request in (("i3", "q2"), ("i4", "broken"), ("i5", "q-other")):
        shop.add(INTERACTIONS, a_reaction(name, early, request_id=request))
    shop.clean(NEXT_DAY, NIGHT + timedelta(days=1))
    assert [(entry[3], entry[4]) for entry in shop.rejected()] == [("i5", "no_list")]


def test_an_event_from_the_future_is_rejected_on_the_day_it_came_and_enters_no_other(shop: Shop) -> None:
    shop.add(INTERACTIONS, a_reaction("soon", at(12, NEXT_DAY), _id=arriving(at(12))))
    shop.add(INTERACTIONS, a_reaction("tonight", at(20), _id=arriving(at(12))))
    shop.add(INTERACTIONS, a_reaction("skewed", at(12), _id=arriving(at(12) - timedelta(seconds=200))))
    shop.add(INTERACTIONS, a_reaction("i3", at(12, NEXT_DAY)))
    shop.add(IMPRESSIONS, a_list("q3", at(12, NEXT_DAY)))
    shop.clean()
    facts = shop.clean(NEXT_DAY, NIGHT + timedelta(days=1))
    assert [(entry[0], entry[3], entry[4]) for entry in shop.rejected()] == [
        (DAY.isoformat(), "soon", "future_time"),
        (DAY.isoformat(), "tonight", "future_time"),
    ]
    assert {row["interaction_id"] for row in shop.rows(REACTIONS)} == {"i1", "i2", "skewed"}
    assert [row["interaction_id"] for row in shop.rows(REACTIONS, NEXT_DAY)] == ["i3"]
    assert facts.sources[INTERACTIONS].raw["elsewhere"] == 1


def test_what_is_created_after_the_day_is_left_out_and_not_rejected(shop: Shop) -> None:
    shop.add(PRODUCTS, a_product(4, created_at=at(0, NEXT_DAY)), a_product(5, created_at=at(24) - timedelta(seconds=1)))
    shop.add(BUYERS, a_buyer(13, utc_created_at="2026-11-04 00:00:00 +0700"))
    facts = shop.clean()
    assert {row["product_id"] for row in shop.rows(PRODUCTS_TABLE)} == {1, 2, 3, 5}
    assert (facts.sources[PRODUCTS].left_out, facts.sources[BUYERS].left_out) == (1, 1)
    assert shop.rejected() == []


def test_a_catalogue_once_taken_stays_when_the_day_is_cleared(shop: Shop) -> None:
    first = shop.clean()
    shop.client["marketplace"]["products"].update_one({"product_id": 1}, {"$set": {"final_price": Int64(1)}})
    later = NIGHT + timedelta(days=9)
    again = shop.clean(now=later)
    assert again.sources[PRODUCTS].digest == first.sources[PRODUCTS].digest
    assert again.sources[PRODUCTS].raw["days_after"] == 1


def test_a_catalogue_of_a_day_that_did_not_pass_is_taken_anew_once_it_is_mended(shop: Shop) -> None:
    shop.with_rules(bad_share=0.02)
    products = shop.client["marketplace"]["products"]
    products.update_many({}, {"$set": {"final_price": Int64(0)}})
    with pytest.raises(DayRejectedError, match="clear the extraction of this day"):
        shop.clean()
    products.update_many({}, {"$set": {"final_price": Int64(70_000)}})
    assert shop.clean(now=NIGHT + timedelta(hours=9)).sources[PRODUCTS].rows == 3


def test_an_empty_catalogue_is_never_kept(shop: Shop) -> None:
    products = shop.client["marketplace"]["products"]
    some = list(products.find())
    products.delete_many({})
    with pytest.raises(DayRejectedError, match="products 2026-11-03: not one document"):
        shop.clean()
    # Let through on purpose, the day has passed; but nobody can want to keep nothing.
    shop.clean(accept=("empty_day", "bad_rows"))
    products.insert_many(some)
    assert shop.clean().sources[PRODUCTS].rows == 3


def test_a_day_cleared_twice_is_the_same_day(shop: Shop) -> None:
    shop.add(INTERACTIONS, a_reaction("x", at(12), price=Int64(0)), a_reaction("i1", at(12)))
    first, quarantine = shop.clean(), shop.rejected()
    second = shop.clean()
    assert {name: source.digest for name, source in first.sources.items()} == {
        name: source.digest for name, source in second.sources.items()
    }
    assert shop.rejected() == quarantine
    assert all(shop.ingestion.lake.digest(table, DAY) for table in EVENTS)


def test_what_is_mended_leaves_quarantine_when_the_day_is_cleared(shop: Shop) -> None:
    shop.add(INTERACTIONS, a_reaction("x", at(12), price=Int64(0)), a_reaction("y", at(12), price=Int64(0)))
    shop.clean()
    shop.client["marketplace"]["interactions"].update_one({"interaction_id": "x"}, {"$set": {"price": Int64(9)}})
    shop.clean()
    assert [entry[3] for entry in shop.rejected()] == ["y"]


def test_the_profile_names_a_column_that_is_nearly_always_empty(shop: Shop) -> None:
    buyers = shop.clean().sources[BUYERS]
    assert buyers.empty_columns == ["last_payment_method", "is_bad_buyer"]
    assert buyers.profile["address_city"] == {"nulls": 0.0, "distinct": 1}
    assert buyers.profile["account_id"] == {"nulls": 0.0, "least": "11", "most": "12"}


def test_the_facts_of_a_day_are_kept_with_it(shop: Shop) -> None:
    facts = shop.clean()
    assert day_summaries(shop.ingestion.lake) == [facts]
    assert facts.sources[IMPRESSIONS].version == shop.ingestion.lake.version(SHOWN)


def test_cleaning_before_extraction_says_what_is_missing(shop: Shop) -> None:
    with pytest.raises(MissingStepError, match="impressions 2026-11-03 was not extracted yet"):
        clean_events(shop.ingestion, DAY, NIGHT)
