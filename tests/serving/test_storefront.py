"""The storefront, in a real browser, on a desk and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from rankloop.lake.tables import Lake
from rankloop.serving.storefront import format_dong
from tests.e2e.browser import browsing
from tests.features.market import account, build, day_of, product, settings_for, shown_list
from tests.running import free_ports
from tests.serving.conftest import DAYS
from tests.serving.shop import Shop, for_anybody, ranking, running

pytestmark = pytest.mark.stack

PHONE = {"width": 390, "height": 844}
STRANGER = 5


@pytest.fixture(scope="module")
def buyer(shop: Shop) -> int:
    """The busiest buyer, of whom there is a history."""
    known = Lake(shop.settings.lake_root).read("features/buyer", [DAYS[-1]], ["account_id", "buyer_clicks_28d"])
    busiest: int = known.sort_by([("buyer_clicks_28d", "descending")])["account_id"][0].as_py()
    return busiest


@pytest.fixture(scope="module")
def client(shop: Shop, buyer: int) -> Iterator[httpx.Client]:
    """A client of an app that shows two shelves."""
    products = Lake(shop.settings.lake_root).read("features/product", [DAYS[-1]])["product_id"].to_pylist()
    version = shop.promote()
    shop.publish("first", [ranking(buyer, products[:30], version), for_anybody(products[40:70])], version)
    with running(shop.settings) as found:
        yield found


@pytest.fixture
def page(client: httpx.Client) -> Iterator[Page]:
    """A browser at the storefront; nothing may go wrong in it."""
    with browsing(str(client.base_url)) as found:
        wrong: list[str] = []
        found.on("console", lambda said: wrong.append(said.text))
        found.on("requestfailed", lambda request: wrong.append(request.url))
        found.goto("/")
        yield found
        assert not wrong


def test_a_buyer_is_picked_and_both_shelves_stand_side_by_side(page: Page, buyer: int) -> None:
    page.get_by_label("the buyer's id").fill(str(buyer))
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name=f"For buyer {buyer}")).to_be_visible()
    ours, base = page.locator(".shelf.ours"), page.locator(".shelf.base")
    expect(ours.locator("li")).to_have_count(12)
    expect(base.locator("li")).to_have_count(12)
    expect(ours).to_contain_text("₫")
    left, right = base.bounding_box(), ours.bounding_box()
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]


def test_the_history_says_what_the_buyer_did(page: Page, buyer: int) -> None:
    page.goto(f"/?buyer={buyer}")
    history = page.locator(".history li")
    assert history.count() >= 1
    expect(history.first).to_contain_text(f"{DAYS[-1]:%d.%m.}")


def test_why_a_product_is_there_is_a_click_away(page: Page, buyer: int) -> None:
    page.goto(f"/?buyer={buyer}")
    page.get_by_role("link", name="Why").nth(2).click()
    expect(page.locator("#why h2")).to_contain_text("is at 3")
    expect(page.locator("#why")).to_contain_text("the shop's own ranking has it at 28")
    assert page.locator("#why .reasons li").count() >= 1
    expect(page.locator(".shelf.ours li.chosen")).to_have_count(1)


def test_a_sample_buyer_is_a_click_away(page: Page) -> None:
    chip = page.locator("a.chip").nth(1)
    name = (chip.text_content() or "").split()[0].split("·")[0]
    chip.click()
    expect(page.locator("a.chip.on")).to_contain_text(name)


def test_an_unknown_buyer_gets_a_notice_and_the_shops_own_ranking(page: Page) -> None:
    page.goto(f"/?buyer={STRANGER}")
    expect(page.get_by_role("heading", name=f"Buyer {STRANGER} is unknown")).to_be_visible()
    expect(page.locator(".shelf.ours li")).to_have_count(12)


def test_on_a_phone_nothing_is_cut_off_and_the_buyers_shelf_comes_first(page: Page, buyer: int) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"/?buyer={buyer}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ours, base = page.locator(".shelf.ours").bounding_box(), page.locator(".shelf.base").bounding_box()
    assert ours
    assert base
    assert ours["y"] + ours["height"] < base["y"]


def test_a_products_name_is_text_whatever_its_shop_calls_it(shop: Shop, tmp_path: Path) -> None:
    nasty = product(1, name="<script>alert(1)</script> <img src=x>")
    day = day_of(DAYS[-1], shown=shown_list(DAYS[-1], "q", 1, [1]), products=[nasty], buyers=[account(1)])
    build(settings_for(tmp_path), {DAYS[-1]: day})
    settings = shop.settings.model_copy(update={"home": tmp_path, "ports": free_ports()})
    shop.publish("nasty", [ranking(1, [1]), for_anybody([1])])
    with running(settings) as client:
        page = client.get("/?buyer=1&why=1").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize(("price", "text"), [(0, "0 ₫"), (25_000, "25.000 ₫"), (1_290_000, "1.290.000 ₫")])
def test_prices_are_written_as_shops_write_them(price: int, text: str) -> None:
    assert format_dong(price) == text
