"""The Model Desk: what holds now, with nothing in it that runs."""

import pytest

from rankloop.desk.model_desk import desk
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack


def test_it_says_who_is_champion_and_what_a_rollback_would_do(shop: Shop) -> None:
    first = shop.promoted()
    second = shop.promoted(first)
    page = desk(shop.settings)
    assert f"<h1>Version {second} ranks now</h1>" in page
    assert f"A rollback goes to version {first}." in page
    assert "The ledger is whole: 2 entries" in page


def test_a_reason_cannot_run_in_the_readers_browser(shop: Shop) -> None:
    shop.decide(shop.register(), reason="<script>alert(1)</script>")
    assert "<script>" not in desk(shop.settings)


def test_before_anything_was_decided(shop: Shop) -> None:
    page = desk(shop.settings)
    assert "The shop&#39;s own ranking ranks now" in page
    assert "Nothing was decided yet." in page
