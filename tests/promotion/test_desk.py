"""The Model Desk: what holds now, with nothing in it that runs."""

import pytest

from rankloop.desk.model_desk import render_model_page
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack


def model_page(shop: Shop) -> str:
    with shop.context() as context:
        return render_model_page(context)


def test_it_says_who_is_champion_and_what_a_rollback_would_do(shop: Shop) -> None:
    first = shop.promoted()
    second = shop.promoted(first)
    page = model_page(shop)
    assert f"<h1>Version {second} ranks now</h1>" in page
    assert f"A rollback goes to version {first}." in page
    assert "The ledger is valid: 2 entries" in page


def test_a_reason_cannot_run_in_the_readers_browser(shop: Shop) -> None:
    shop.decide(shop.register(), reason="<script>alert(1)</script>")
    assert "<script>" not in model_page(shop)


def test_before_anything_was_decided(shop: Shop) -> None:
    page = model_page(shop)
    assert "The shop&#39;s own ranking ranks now" in page
    assert "Nothing was decided yet." in page
