"""Rows in quarantine are replaced by day and collection."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from rankloop.contracts.marketplace import INTERACTIONS, PRODUCTS
from rankloop.mongo import Client, connect
from rankloop.state.quarantine import RejectedRow, count_quarantine, list_quarantine, replace_quarantine

pytestmark = pytest.mark.stack

DAY, NEXT_DAY = date(2026, 11, 3), date(2026, 11, 4)
ONE = RejectedRow(
    INTERACTIONS, DAY, "a1", None, 1, "i1", "bad_price", "price", "0", datetime(2026, 11, 3, 5, tzinfo=UTC)
)  # fmt: skip


@pytest.fixture
def client(mongo: str) -> Iterator[Client]:
    client = connect(mongo)
    yield client
    client.close()


def put(client: Client, *rejected: RejectedRow, day: date = DAY, collection: str = INTERACTIONS) -> None:
    replace_quarantine(client, collection, day, iter(rejected))


def names(client: Client) -> list[str]:
    return sorted(entry["_id"] for entry in client["rankloop"]["quarantine"].find())


def test_a_row_is_named_after_its_day_and_document(client: Client) -> None:
    put(client, ONE, replace(ONE, item=4))
    assert names(client) == ["interactions/2026-11-03/a1", "interactions/2026-11-03/a1/4"]


def test_replacing_leaves_other_days_and_collections_alone(client: Client) -> None:
    put(client, ONE)
    put(client, replace(ONE, day=NEXT_DAY), day=NEXT_DAY)
    put(client, replace(ONE, collection=PRODUCTS), collection=PRODUCTS)
    put(client, replace(ONE, id="b2"))
    assert names(client) == ["interactions/2026-11-03/b2", "interactions/2026-11-04/a1", "products/2026-11-03/a1"]


def test_a_changed_reason_is_put_in_place_of_the_former(client: Client) -> None:
    put(client, ONE)
    put(client, replace(ONE, reason="wrong_type"))
    assert [entry["reason"] for entry in list_quarantine(client, DAY)] == ["wrong_type"]


def test_nothing_rejected_empties_the_day_even_before_there_is_a_quarantine(client: Client) -> None:
    put(client)
    put(client, ONE)
    put(client)
    assert names(client) == []


def test_more_rows_than_are_written_at_a_time_are_all_there(client: Client) -> None:
    many = [replace(ONE, id=f"a{number}") for number in range(2500)]
    put(client, *many)
    put(client, *many[1200:])
    assert len(names(client)) == 1300


def test_quarantine_is_counted_by_reason_in_documents_and_rows(client: Client) -> None:
    put(client, ONE, replace(ONE, id="a2", rows=80), replace(ONE, id="a3", reason="no_list", field="request_id"))
    assert count_quarantine(client, DAY) == [
        {"day": "2026-11-03", "collection": INTERACTIONS, "reason": "bad_price", "field": "price", "documents": 2,
         "rows": 81},
        {"day": "2026-11-03", "collection": INTERACTIONS, "reason": "no_list", "field": "request_id", "documents": 1,
         "rows": 1},
    ]  # fmt: skip
    assert count_quarantine(client, NEXT_DAY) == []
    assert len(count_quarantine(client)) == 2


def test_quarantine_is_listed_by_reason(client: Client) -> None:
    put(client, ONE, replace(ONE, id="a3", reason="no_list"))
    assert [entry["id"] for entry in list_quarantine(client, DAY, INTERACTIONS, "no_list")] == ["a3"]
    assert [entry["id"] for entry in list_quarantine(client, DAY, limit=1)] == ["a1"]
