"""The ledger: only appended to, and whatever else happens to it is seen."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from rankloop.mongo import Client, connect
from rankloop.state import ledger
from rankloop.state.ledger import LedgerConflictError, LedgerDraft, LedgerEntry, append_entry, read_ledger, verify_chain
from tests.promotion.shop import NOW

pytestmark = pytest.mark.stack


def draft(version: int) -> LedgerDraft:
    before = version - 1 or None
    evidence = {"said": "máy_may is better"}
    return LedgerDraft("promoted", f"version {version}", version, before, version, "ml-lead", "tốt hơn", evidence)


@pytest.fixture
def client(mongo: str) -> Iterator[Client]:
    client = connect(mongo)
    yield client
    client.close()


@pytest.fixture
def written(client: Client) -> list[LedgerEntry]:
    """Three entries."""
    last = None
    for version in (1, 2, 3):
        last = append_entry(client, draft(version), last, NOW)
    return read_ledger(client)


def test_what_is_read_is_what_was_written(client: Client) -> None:
    entry = append_entry(client, draft(1), None, NOW)
    assert read_ledger(client) == [entry]
    assert (entry.number, entry.reason, entry.at) == (1, "tốt hơn", "2026-11-17T02:00:00.000+00:00")


def test_a_ledger_that_nobody_touched_is_whole(written: list[LedgerEntry]) -> None:
    assert verify_chain(written, written[-1].mark) == []
    assert verify_chain([]) == []


def test_who_did_not_see_the_last_entry_cannot_write(client: Client, written: list[LedgerEntry]) -> None:
    with pytest.raises(LedgerConflictError, match="another entry 3"):
        append_entry(client, draft(4), written[1], NOW)
    assert read_ledger(client) == written


@pytest.mark.parametrize("field", ["who", "reason", "version", "at", "decision", "evidence"])
@pytest.mark.usefixtures("written")
def test_a_changed_entry_is_seen(field: str, mongo: str, client: Client) -> None:
    with MongoClient[dict[str, Any]](mongo) as past:
        past["rankloop"][ledger.LEDGER].update_one({"_id": 2}, {"$set": {field: "another"}})
    assert verify_chain(read_ledger(client)) == ["entry 2 was changed after it was written"]


def test_an_entry_that_was_changed_and_sealed_anew_is_seen(written: list[LedgerEntry]) -> None:
    forged = replace(written[1], who="oncall")
    forged = replace(forged, seal=ledger._seal(vars(forged)))  # noqa: SLF001  (as a forger would)
    assert verify_chain([written[0], forged, written[2]]) == ["entry 3 does not seal the one before it"]


def test_an_entry_that_was_taken_out_is_seen(written: list[LedgerEntry]) -> None:
    assert verify_chain([written[0], written[2]])[0] == "entry 2 is missing: after 1 comes 3"


def test_an_end_that_was_cut_off_is_seen_by_what_mlflow_has_followed(written: list[LedgerEntry]) -> None:
    assert verify_chain(written[:2]) == []
    assert "has followed an entry 3 that is not here" in verify_chain(written[:2], written[2].mark)[0]
