"""Pages of incidents: how they read, and that the runbook shows them as they are."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from rankloop.mongo import connect
from rankloop.monitoring.act.incidents import DRIFT as OF_DRIFT
from rankloop.monitoring.measure.tables import CONCEPT, DRIFT, PERFORMANCE, QUALITY
from rankloop.monitoring.policy.finding import ALL, Finding
from rankloop.monitoring.policy.rule_set import TABLES
from rankloop.monitoring.policy.rules import RULES
from rankloop.monitoring.policy.verdict import record_verdict
from rankloop.monitoring.policy.wording import finding_sentence, finding_sentences
from rankloop.monitoring.report.pages import render_cause, render_incident
from rankloop.settings import Settings
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.state.alerts import Alert, list_alerts
from tests.monitoring.entries import apply_fallback, choose_action, update_incidents
from tests.monitoring.measured_rows import (
    DAY,
    POLICY,
    Measured,
    against,
    before,
    fresh,
    ndcg,
    one_shops_unit,
    psi,
    row,
    verdict,
)

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")
CALM = [*psi(DAY), *psi(before(1))]
MOVED = [
    *psi(DAY, product_price=0.6),
    *psi(before(1), product_price=0.6),
    row(DRIFT, DAY, "feature product_price mean", 203_000.0, expected=254_000.0),
]
MET = {
    "the prices of one shop in another unit": one_shops_unit(DAY),
    "inputs that moved": MOVED,
    "worse than control": [*CALM, against(before(1), -0.03, -0.01), against(before(2), -0.04, -0.01)],
}
KINDS = {
    "data bug": [*one_shops_unit(DAY), row(DRIFT, DAY, "feature shop_city_id missing", 0.6, expected=0.1)],
    "covariate shift": [
        *MOVED,
        row(DRIFT, DAY, "feature product_discount psi", 0.4, expected=0.01),
        row(DRIFT, DAY, "feature buyer_city_id new_values", 0.4),
        *(ndcg(before(age), 0.30, 0.33) for age in (1, 2)),
    ],
    "concept drift": [
        *CALM,
        row(DRIFT, DAY, "feature product_discount psi", 0.4, expected=0.01),
        row(CONCEPT, before(1), "residual category=1108 calibration", 0.4, low=0.3, high=0.5, expected=0.0),
        row(CONCEPT, before(2), "residual category=1108 calibration", 0.4, low=0.3, high=0.5, expected=0.0),
        row(PERFORMANCE, before(1), "reranked product=cold ndcg@10", 0.2, low=0.15, high=0.25, expected=0.4),
        row(PERFORMANCE, before(1), "reranked all recall@30", 0.7, low=0.65, high=0.75, expected=0.9),
        *(ndcg(before(age), 0.30, 0.33) for age in (1, 2, 3)),
        *(fresh(before(age), 0.02, 0.05) for age in (1, 2, 3)),
    ],
    "unclear": [*CALM, row(DRIFT, DAY, "prediction score psi", 0.5), row(DRIFT, DAY, "population all auc", 0.9)],
}
CAPITALISED = re.compile(r"\b[A-Z][a-z]\w*[._=]\w+")
"""`Product_price`, `Products.final_price`, `Category=1108`: names that are not called so."""
PLAIN_WITH_SIGN = re.compile(r"(?<![+\-\d.,])\d[\d.,]*%? \[[^\]]*\+")
"""`0.3150 [+0.3, +0.33]`: a sign where nothing has changed."""


def shown(settings: Settings, rows: Sequence[Measured]) -> str:
    """What `rankloop alerts show` has to print, once the tasks of `drift_checks` that come after judging have run."""
    with connect(settings.mongo) as client:
        record_verdict(client, verdict(rows).model_copy(update={"measured": TABLES}))
    update_incidents(settings, DAY, now=NOW)
    if choose_action(settings, DAY, now=NOW) == "fall back":
        apply_fallback(settings, DAY, now=NOW)
    with connect(settings.mongo) as client:
        [incident] = list_alerts(client, kind=OF_DRIFT)
    return render_incident(incident)


@pytest.mark.stack
@pytest.mark.parametrize("rows", MET.values(), ids=MET)
def test_the_runbook_shows_the_page_as_it_is(rows: Sequence[Measured], mongo: str, tmp_path: Path) -> None:
    acting = MonitoringSettings(mode="on")
    page = shown(Settings(home=tmp_path, mongo_uri=SecretStr(mongo), monitoring=acting), rows)
    assert f"```markdown\n{page}```" in RUNBOOK, f"docs/runbook.md lacks the page as it is now:\n\n{page}"


@pytest.mark.parametrize(("kind", "rows"), KINDS.items(), ids=KINDS)
def test_a_page_of_each_kind_leaves_names_as_they_are_and_plain_values_without_a_sign(
    kind: str, rows: Sequence[Measured]
) -> None:
    found = verdict(rows)
    assert [cause.kind for cause in found.causes] == [kind]
    page = render_cause(found.causes[0], found, "http://airflow", "http://mlflow")
    assert CAPITALISED.findall(page) == []
    assert PLAIN_WITH_SIGN.findall(page) == []


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_a_sentence_of_each_rule_begins_with_a_word_of_its_own(rule: str) -> None:
    text = finding_sentence(finding(rule, subject="product_price"), POLICY)
    assert re.match(r"[A-Z][a-z]* ", text)
    assert not CAPITALISED.search(text)
    assert ("[+" in text) == POLICY.rule(rule).signed


def finding(rule: str, **more: object) -> Finding:
    """Something that breaks this rule, by 0.315, between 0.3 and 0.33."""
    given = {
        "role": "data",
        "table": QUALITY,
        "signal": "live",
        "subject": ALL,
        "measure": "ndcg@10",
        "days": (DAY,),
        "needed": 1,
        "of": 1,
        "standing": True,
        "persistent": True,
        "value": 0.315,
        "low": 0.3,
        "high": 0.33,
        "expected": 0.4,
        "threshold": POLICY.rule(rule).threshold,
        "severity": "alert",
        "rows": 5000,
    }
    return Finding.model_validate(given | {"rule": rule} | more)


@pytest.mark.parametrize(
    ("rule", "more", "text"),
    [
        ("performance", {}, "The NDCG@10 over all lists is 0.315 [0.300, 0.330], where 0.400 was promised, on"),
        ("performance", {"subject": "product=cold"}, "over the segment product=cold is 0.315"),
        ("performance", {"signal": "reranked"}, "over the shop's own lists in the champion's order is 0.315"),
        ("performance", {"low": None}, "is 0.315, where 0.400"),
        ("performance", {"low": float("nan")}, "is 0.315, where 0.400"),
        ("estimated", {"value": 0.05, "low": 0.045, "high": 0.055}, "at 0.0500 [0.0450, 0.0550]"),
        ("fresh", {"value": 0.018, "low": 0.002, "high": 0.034}, "gains +0.0180 [+0.0020, +0.0340] of NDCG@10"),
        (
            "against_control",
            {"measure": "gmv_per_buyer", "value": -1500.0, "low": -2400.0, "high": -600.0},
            "differ from control by -1,500 [-2,400, -600] in GMV per buyer",
        ),
        ("residual", {"value": -0.4, "low": -0.5, "high": -0.3}, "differ by -40% [-50%, -30%] from"),
        (
            "jump",
            {"measure": "p05", "value": 64.0, "expected": 25_000.0},
            "is 64, where 25,000 is usual: 391 times less",
        ),
    ],
)
def test_a_value_and_its_bounds_are_written_alike(rule: str, more: Mapping[str, object], text: str) -> None:
    assert text in finding_sentence(finding(rule, **more), POLICY)


def test_of_segments_a_page_names_the_worst_and_counts_the_rest() -> None:
    def fell(subject: str, value: float, measure: str = "ndcg@10") -> Finding:
        what = {"role": "performance", "signal": "reranked", "measure": measure, "expected": 0.5}
        return finding("performance", subject=subject, value=value, **what)

    some = [fell(f"category={number}", 0.4 - number / 100) for number in range(6)]
    page = finding_sentences([fell(ALL, 0.3, "ctr@10"), fell("price=1", 0.1, "ctr@10"), *some], POLICY)
    assert page[0].startswith("The CTR@10 over the shop's own lists in the champion's order is 0.300")
    assert [re.findall(r"segment (\S+) of", one) for one in page[1:4]] == [[f"category={n}"] for n in (5, 4, 3)]
    assert page[4:] == ["By the same rule 3 more segments are bad."]


def test_a_page_links_to_the_drift_report_where_inputs_were_measured() -> None:
    found, addresses = verdict(MOVED), ("https://airflow.example", "https://mlflow.example")
    [cause] = found.causes
    assert "Each feature then and now" not in render_cause(cause, found, *addresses)
    link = f"- Each feature then and now: https://airflow.example/drift-reports/{DAY}\n"
    assert link in render_cause(cause, found.model_copy(update={"measured": (DRIFT,)}), *addresses)


def test_a_page_of_what_is_over_says_since_when() -> None:
    then = datetime(2026, 11, 22, 3, tzinfo=UTC)
    over = Alert("late_day:x", "late_day", "x", "It is late.", "closed", NOW, NOW, closed_at=then)
    assert "- closed at 2026-11-22 03:00 UTC; open since 2026-11-21 03:00; last seen" in render_incident(over)
