"""A drift rule of somebody's own: one class in a package of theirs, and its path in the settings."""

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.monitoring.measured_rows import row, write

from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.tables import QUALITY
from rankloop.monitoring.policy.findings import relevant_rows
from rankloop.monitoring.policy.judge import decide_verdict, rows_until
from rankloop.monitoring.policy.rule_set import open_policy
from rankloop.monitoring.policy.rules_page import BEGIN, END, with_rules_table
from rankloop.monitoring.policy.verdict import Verdict
from rankloop.monitoring.report.pages import render_cause
from rankloop.settings import PREFIX, Settings, SettingsError, load_settings

DAY = date(2026, 11, 20)
SOURCE = '''
"""The rules of a shop that counts its brands."""

from typing import ClassVar

from pydantic import Field

from rankloop.monitoring.policy.declaration import DATA_BUG, DriftRule, Measures


class FewerBrandsRule(DriftRule):
    """Fewer brands are for sale than on normal days."""

    name: ClassVar[str] = "brands"
    role: ClassVar[str] = "data"
    cause: ClassVar[str] = DATA_BUG
    reads: ClassVar = (Measures("monitoring/quality", "column", ("distinct",), ("products.brand",)),)
    sentence: ClassVar[str] = "The shop sells {value:,.0f} brands, where {expected:,.0f} are usual"

    threshold: float = Field(0.5, ge=0, le=1, description="fall, as a share of normal days")

    def is_bad(self, row, interval):
        return row["value"] < row["expected"] * (1 - self.threshold)


NOT_A_RULE = 7
'''


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings that name the rule and change what it takes, beside a shop that lost its brands two days ago."""
    (tmp_path / "shop_rules").mkdir()
    (tmp_path / "shop_rules" / "brands.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{PREFIX}HOME", str(tmp_path / "home"))
    monkeypatch.setenv(f"{PREFIX}MONITORING__RULES", '["shop_rules.brands.FewerBrandsRule"]')
    monkeypatch.setenv(f"{PREFIX}MONITORING__BRANDS__MIN_ROWS", "10")
    load_settings.cache_clear()
    yield load_settings()
    load_settings.cache_clear()
    for name in [name for name in sys.modules if name.startswith("shop_rules")]:
        del sys.modules[name]


def judged(settings: Settings) -> Verdict:
    """What is decided of the day, from what was measured."""
    lake, policy = Lake(settings.lake_root), open_policy(settings.monitoring)
    usual = {"expected": 40.0, "rows": 20, "version": None}
    write(
        lake,
        [row(QUALITY, DAY - timedelta(days=age), "column products.brand distinct", 4.0, **usual) for age in (0, 1)],
    )
    rows = relevant_rows(rows_until(lake, DAY, policy), None)
    return decide_verdict(rows, policy, {}, (), day=DAY, version=None)


def test_it_is_judged_and_its_finding_is_told_in_its_words(settings: Settings) -> None:
    verdict = judged(settings)
    assert (verdict.state, verdict.causes[0].key) == ("alert", "data bug: products")
    assert verdict.causes[0].reasons == ("The shop sells 4 brands, where 40 are usual, since 2026-11-19.",)
    assert "The shop sells 4 brands" in render_cause(verdict.causes[0], verdict, settings.airflow, settings.mlflow)


def test_its_threshold_is_a_setting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(settings).state == "alert"
    monkeypatch.setenv(f"{PREFIX}MONITORING__BRANDS__THRESHOLD", "0.95")
    load_settings.cache_clear()
    assert judged(load_settings()).state == "ok"


def test_it_is_in_the_table_of_rules(settings: Settings) -> None:
    page = with_rules_table(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n", open_policy(settings.monitoring))
    line = "| `brands` | Fewer brands are for sale than on normal days. | 0.5: fall, as a share of normal days |"
    assert line in page
    assert page.startswith("Before.\n")
    assert page.endswith("After.\n")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ('["shop_rules.brand.FewerBrandsRule"]', "cannot be imported .* package.module.ClassName"),
        ('["shop_rules.brands.FewerBrands"]', "cannot be imported"),
        ('["shop_rules.brands.NOT_A_RULE"]', "is no drift rule. Name a subclass of"),
        ('["shop_rules.brands.FewerBrandsRule", "shop_rules.brands.FewerBrandsRule"]', "Give it a name of its own"),
    ],
)
def test_a_path_that_leads_to_no_rule_is_refused_in_words(
    settings: Settings, rules: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings
    monkeypatch.setenv(f"{PREFIX}MONITORING__RULES", rules)
    load_settings.cache_clear()
    with pytest.raises(SettingsError, match=message):
        open_policy(load_settings().monitoring)
