"""What a person does in Airflow's own pages, in a real Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 60_000


@contextmanager
def browsing(airflow: str) -> Iterator[Page]:
    """A page of a browser that knows nobody, at the address of an Airflow."""
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=airflow, viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        try:
            yield page
        finally:
            browser.close()


def sign_in(page: Page, person: str, password: str) -> None:
    """Sign in by the form."""
    page.goto("/")
    page.locator("input[name=username]").fill(person)
    page.locator("input[type=password]").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)


def open_request(page: Page, subject: str) -> None:
    """Open the request with this subject from the list of required actions."""
    page.goto("/required_actions")
    page.get_by_text("Required Action").first.wait_for()
    page.get_by_role("link", name=subject).click()
    page.get_by_role("button", name="Approve").wait_for()


def answer(page: Page, choice: str, reason: str) -> None:
    """Give the answer in the form that is open, and wait until Airflow has it."""
    page.locator("[name=element_reason]").fill(reason)
    button = page.get_by_role("button", name=choice)
    expect(button).to_be_enabled()
    button.click()
    expect(button).to_be_disabled()


def picture(page: Page, path: Path) -> None:
    """A screenshot, once nothing moves any more."""
    page.wait_for_timeout(1500)
    page.screenshot(path=path)
