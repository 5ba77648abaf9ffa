"""The fast way of reading documents agrees with the exact one, whatever is in them."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pyarrow as pa
import pytest
from bson import Decimal128, Int64, ObjectId, Regex
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings
from hypothesis import strategies as st

from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, PRODUCTS
from rankloop.contracts.sources import FAULTS, ID, ITEM_FIELDS, ITEMS, SOURCES, FieldContract, SourceContract
from rankloop.sources.mongo import decoding
from rankloop.sources.mongo.conform import conform_document
from rankloop.sources.mongo.decoding import decode_batch

NOON = datetime(2026, 11, 3, 5, tzinfo=UTC)
MISSING = object()

odd_values = st.sampled_from(
    [
        MISSING, None, True, False, 0, 7, -1, 2**31, Int64(12), Int64(2**62), 12.0, 12.7, -0.5, 3e9, 1e300, math.nan,
        math.inf, "", "12", "  x ", "2026-11-03 12:00:00 +0700", "2026-11-3 1:2:3 +07:00", "2026-02-30 00:00:00 +0000",
        "2026-11-03", NOON, DatetimeMS(2**50), DatetimeMS(-1), b"\x00", b"price\x00", [], [1], [NOON], {}, {"price": 1},
        ObjectId(bytes(12)), Decimal128("12"), Regex("x"), "price\x00", "items\x00\x04items\x00", "\x01price",
    ]
)  # fmt: skip


def usual_value(field: FieldContract) -> st.SearchStrategy[Any]:
    if field.text_instant:
        return st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001  (written with its zone)
            lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} +0700"
        )
    if pa.types.is_integer(field.type):
        number = st.integers(0, 2**31 - 1)
        return number.map(Int64) if pa.types.is_int64(field.type) else number
    if pa.types.is_floating(field.type):
        return st.floats(allow_nan=False, allow_infinity=False)
    if pa.types.is_boolean(field.type):
        return st.booleans()
    if pa.types.is_timestamp(field.type):
        return st.integers(0, 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds))
    return st.text(st.characters(codec="utf-8"), max_size=12)


def value_of(field: FieldContract, oddness: int) -> st.SearchStrategy[Any]:
    usual = usual_items(oddness) if field.name == ITEMS else usual_value(field)
    return st.integers(0, 99).flatmap(lambda draw: odd_values if draw < oddness else usual)


def usual_items(oddness: int) -> st.SearchStrategy[Any]:
    item = st.fixed_dictionaries({field.name: value_of(field, oddness // 4) for field in ITEM_FIELDS})
    return st.lists(item.map(present), max_size=12)


def present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not MISSING}


@st.composite
def documents(draw: st.DrawFn, source: SourceContract, oddness: int) -> list[bytes]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        values = draw(st.fixed_dictionaries({field.name: value_of(field, oddness) for field in source.fields}))
        names = draw(st.permutations(list(values))) if draw(st.booleans()) else list(values)
        usual = ObjectId(number.to_bytes(12, "big"))
        identity = draw(st.sampled_from([*[usual] * 18, f"own-{number}", number]))
        found.append(bson.encode({"_id": identity, "extra": "x"} | present({name: values[name] for name in names})))
    return found


def rows_of(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row[ID]: row for row in table.to_pylist()}


@pytest.mark.parametrize("collection", [IMPRESSIONS, INTERACTIONS, PRODUCTS, BUYERS])
@settings(deadline=None, max_examples=150)
@given(st.data())
def test_fast_and_exact_reading_agree(collection: str, data: st.DataObject) -> None:
    source = SOURCES[collection]
    batch = data.draw(documents(source, data.draw(st.sampled_from([0, 3, 30]))))
    exact = pa.Table.from_pylist([conform_document(document, source) for document in batch], schema=source.row_schema)
    fast = decode_batch(b"".join(batch), source)
    # Compared as Arrow casts them, since Python knows no instant beyond the year 9999.
    instants = [name for name in fast.schema.names if pa.types.is_timestamp(fast.schema.field(name).type)]
    for name in instants:
        at = fast.schema.get_field_index(name)
        fast, exact = (table.set_column(at, name, table[name].cast(pa.int64())) for table in (fast, exact))
    assert fast.schema == exact.schema
    assert repr(rows_of(fast)) == repr({identity: rows_of(exact)[identity] for identity in rows_of(fast)})
    assert len(fast) == len(batch)


def a_list(count: int = 3, **changes: object) -> dict[str, Any]:
    items = [{"product_id": Int64(70 + place), "position": place, "base_score": 1 / place} for place in range(1, count)]
    whole = {
        "_id": ObjectId(), "request_id": "q1", "account_id": Int64(5), "ts": NOON, "surface": "home", "policy": "base",
        "items": items,
    }  # fmt: skip
    return whole | changes


def faults_of(document: dict[str, Any]) -> list[tuple[int | None, str, str, str | None]]:
    [row] = decode_batch(bson.encode(document), SOURCES[IMPRESSIONS]).to_pylist()
    return [tuple(fault.values()) for fault in row[FAULTS] or []]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"account_id": "5"}, (None, "account_id", "wrong_type", "'5'")),
        ({"account_id": 5.5}, (None, "account_id", "wrong_type", "5.5")),
        ({"account_id": True}, (None, "account_id", "wrong_type", "True")),
        ({"ts": NOON.isoformat()}, (None, "ts", "wrong_type", "'2026-11-03T05:00:00+00:00'")),
        ({"items": None}, (None, "items", "missing_field", None)),
        ({"items": "none"}, (None, "items", "wrong_type", "'none'")),
        ({"items": {"0": 1}}, (None, "items", "wrong_type", "a document of 1 fields")),
        ({"items": [5]}, (0, "items", "wrong_type", "5")),
        ({"items": [{"product_id": 1, "position": 1}]}, (0, "items.base_score", "missing_field", None)),
        ({"_id": "mine"}, (None, "_id", "wrong_type", "'mine'")),
    ],
)
def test_a_fault_names_the_field_and_what_stands_there(changes: dict[str, Any], fault: tuple[Any, ...]) -> None:
    assert faults_of(a_list(**changes)) == [fault]


def test_whole_numbers_sent_as_doubles_are_taken() -> None:
    [row] = decode_batch(bson.encode(a_list(account_id=5.0)), SOURCES[IMPRESSIONS]).to_pylist()
    assert (row["account_id"], row[FAULTS]) == (5, None)


def test_lists_of_any_length_are_unpacked_without_reading_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = [a_list(count) for count in (2, 10, 11, 12, 101, 102, 1003)]
    monkeypatch.setattr(decoding, "conform_document", lambda *_: pytest.fail("a usual list went the slow way"))
    rows = rows_of(decode_batch(b"".join(map(bson.encode, lists)), SOURCES[IMPRESSIONS]))
    assert {str(entry["_id"]): entry["items"] for entry in lists} == {key: row[ITEMS] for key, row in rows.items()}


def test_one_odd_item_among_many_lists_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = [a_list(60) for _ in range(20)]
    lists[7]["items"][30]["position"] = "31"
    read = []
    monkeypatch.setattr(decoding, "conform_document", lambda *arguments: read.append(1) or conform_document(*arguments))
    rows = rows_of(decode_batch(b"".join(map(bson.encode, lists)), SOURCES[IMPRESSIONS]))
    assert len(read) == 1
    assert rows[str(lists[7]["_id"])][FAULTS] == [
        {"item": 30, "field": "items.position", "reason": "wrong_type", "value": "'31'"}
    ]


def test_text_that_is_no_utf8_is_a_fault_and_spoils_no_other_row() -> None:
    good, bad = a_list(surface="home"), a_list(surface="hxme")
    batch = bson.encode(good) + bson.encode(bad).replace(b"hxme", b"h\xffme")
    rows = rows_of(decode_batch(batch, SOURCES[IMPRESSIONS]))
    assert rows[str(good["_id"])]["surface"] == "home"
    assert rows[str(bad["_id"])][FAULTS][0]["reason"] == "wrong_type"
