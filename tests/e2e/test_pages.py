"""What the ML lead does in the real UI: reads the request, approves it with a reason, and sees who is champion."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from rankloop.scoring.inputs import newest_feature_day
from rankloop_demo.stack import approving
from rankloop_demo.stack.airflow_api import signed_in
from rankloop_demo.stack.home import read_private
from rankloop_demo.stack.people import passwords_file
from rankloop_demo.stack.watching import run_of
from tests.building import lake_of
from tests.e2e import browser
from tests.promotion.shop import Shop
from tests.running import RunningStack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not browser.CHROMIUM, reason="there is no Chromium; Debian's package is called chromium"),
]
PICTURES = os.environ.get("PICTURES", "")
"""A folder to put screenshots into; by default they go with the test's other files."""


def test_the_ml_lead_reads_approves_and_sees_the_champion_change(
    stack: RunningStack, demo: str, tmp_path: Path
) -> None:
    assert demo
    shop, pictures = Shop(stack.settings), Path(PICTURES or tmp_path)
    before = shop.aliases["champion"]
    number = shop.register(before)
    approving.ask_about(stack.settings, number)
    with browser.browsing(stack.airflow) as page:
        browser.sign_in(page, "ml-lead", read_private(passwords_file(stack.settings.home))["ml-lead"])
        browser.open_request(page, f"Promote version {number} to champion?")
        expect(page.get_by_text(f"in place of version {before}")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_be_disabled()  # there is no reason yet
        browser.picture(page, pictures / "approval-request.png")
        browser.answer(page, "Approve", "better for new buyers")
        approving.wait_for_end(stack.settings, f"version_{number}")
        page.goto("/model-desk/")
        expect(page.get_by_role("heading", name=f"Version {number} ranks now")).to_be_visible()
        expect(page.get_by_text("better for new buyers")).to_be_visible()
        browser.picture(page, pictures / "model-desk.png")
    assert shop.aliases == {"champion": number, "previous": before}
    assert shop.entries[-1].reason == "better for new buyers"


def test_on_call_opens_a_days_drift_report_from_its_task(stack: RunningStack, demo: str, tmp_path: Path) -> None:
    api, day = signed_in(stack.settings, "oncall"), newest_feature_day(lake_of(stack.settings))
    assert day
    assert f"{day} is judged" in demo
    run = run_of(api, "drift_checks", day)
    assert run
    with browser.browsing(stack.airflow) as page:
        browser.sign_in(page, "oncall", read_private(passwords_file(stack.settings.home))["oncall"])
        page.goto(f"/dags/drift_checks/runs/{quote(run['dag_run_id'])}/tasks/report/details")
        page.get_by_role("link", name="Drift report").click()
        page.wait_for_url(f"**/drift-reports/{day}")
        expect(page.get_by_text("Data Drift Summary")).to_be_visible()
        browser.picture(page, Path(PICTURES or tmp_path) / "drift-report.png")


@pytest.mark.parametrize("address", ["/model-desk/", "/drift-reports/2026-10-01"])
def test_who_is_not_signed_in_sees_no_page_of_ours(stack: RunningStack, address: str) -> None:
    with browser.browsing(stack.airflow) as page:
        answer = page.goto(address)
        assert answer
        assert answer.status == 401
