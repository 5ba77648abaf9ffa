"""The drift rules: each declared once, set by its name, and described on the page."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rankloop.contracts.sources import SOURCES
from rankloop.monitoring.measure.tables import AMOUNT_COLUMNS
from rankloop.monitoring.policy.rule_set import Policy, open_policy
from rankloop.monitoring.policy.rules import RULES
from rankloop.monitoring.policy.rules.input_drift import InputDriftRule
from rankloop.monitoring.policy.rules_page import with_rules_table
from rankloop.settings import PREFIX, SettingsError, load_settings
from rankloop.settings.monitoring import MonitoringSettings

Open = Callable[..., Policy]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    """Opens the policy in an empty folder, under these variables alone."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)

    def open_with(**variables: str) -> Policy:
        for name, value in variables.items():
            monkeypatch.setenv(f"{PREFIX}MONITORING__{name}", value)
        load_settings.cache_clear()
        return open_policy(load_settings().monitoring)

    yield open_with
    load_settings.cache_clear()


def test_the_table_of_rules_is_current() -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert page == with_rules_table(page, open_policy(MonitoringSettings())), (
        "run: .venv/bin/rankloop monitoring rules --write docs/monitoring.md"
    )


def test_each_rule_has_a_name_of_its_own_that_no_other_setting_has() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert not set(names) & set(MonitoringSettings.model_fields)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_declares_everything(rule: type[InputDriftRule]) -> None:
    assert rule.__doc__
    assert rule.reads
    assert rule.sentence
    assert rule.role
    assert rule.cause
    assert all(field.description for field in rule.model_fields.values())
    assert "is_bad" in vars(rule)


def test_a_variable_sets_the_threshold_of_verdict_and_report_alike(opened: Open) -> None:
    rule = opened(INPUTS__THRESHOLD="0.3", INPUTS__SEVERITY="alert").rule_of(InputDriftRule)
    assert (rule.threshold, rule.severity, rule.feature_limit(0.0)) == (0.3, "alert", 0.3)


def test_the_file_sets_a_rule_too(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "rankloop.toml").write_text("[monitoring.jump]\nthreshold = 100\n")
    assert opened().rule("jump").threshold == 100


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("INPUT__THRESHOLD", "0.3", "no drift rule is called monitoring.input; .* Did you mean inputs"),
        ("INPUTS__TRESHOLD", "0.3", "no setting is called monitoring.inputs.treshold"),
        ("INPUTS__THRESHOLD", "much", "monitoring.inputs.threshold = 'much': .*RANKLOOP_MONITORING__INPUTS__THRESHOLD"),
        ("JUMP__DAYS", "2", "monitoring.jump = .*2 of the last 1 days is impossible"),
        ("COOLDOWN_DAYS", "2", "no setting is called monitoring.cooldown_days"),
        ("LEARN_DAYS", "4", "learn_days is 4, but performance and fresh look back on 3 days"),
    ],
)
def test_a_mistyped_rule_or_field_is_refused_in_words(opened: Open, variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        opened(**{variable: value})


def test_the_amounts_are_columns_of_sources() -> None:
    for column in AMOUNT_COLUMNS:
        source, _, name = column.partition(".")
        assert name in repr(SOURCES[source])
