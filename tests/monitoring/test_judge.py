"""What is said of a day: properties of the verdict, whatever was measured."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankloop.monitoring.measure.tables import DRIFT, PERFORMANCE
from rankloop.monitoring.policy.rule_set import open_policy
from rankloop.monitoring.policy.rules import RULES
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.state.actions import FALL_BACK, RELEASE, RETRAIN, Action
from tests.monitoring.measured_rows import (
    CHAMPION,
    DAY,
    Measured,
    against,
    before,
    fresh,
    ndcg,
    psi,
    row,
    verdict,
    wrong_unit,
)

BAD, GOOD = {"product_price": 0.6}, {"product_price": 0.05}
AGES = st.integers(0, 6)


@st.composite
def measured(draw: st.DrawFn) -> list[Measured]:
    """A week in which anything may have been measured, and days may be missing."""
    rows: list[Measured] = []
    for age in draw(st.sets(AGES)):
        rows += psi(before(age), product_price=draw(st.floats(0, 2)))
    for age in draw(st.sets(AGES)):
        middle, wide = draw(st.floats(0.2, 0.5)), draw(st.floats(0.001, 0.1))
        rows.append(ndcg(before(age), middle - wide, middle + wide))
    for age in draw(st.sets(AGES)):
        middle, wide = draw(st.floats(-0.05, 0.05)), draw(st.floats(0.001, 0.1))
        rows.append(against(before(age), middle - wide, middle + wide))
    for age in draw(st.sets(AGES)):
        middle, wide = draw(st.floats(-0.05, 0.05)), draw(st.floats(0.001, 0.1))
        rows.append(fresh(before(age), middle - wide, middle + wide))
    for age in draw(st.sets(AGES, max_size=1)):
        rows += wrong_unit(before(age))
    return rows


@given(rows=measured(), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_is_of_no_matter(rows: list[Measured], random: Any) -> None:  # noqa: ANN401  (a Random)
    mixed = list(rows)
    random.shuffle(mixed)
    assert verdict(mixed) == verdict(rows)


@given(rows=measured())
def test_one_bad_day_neither_trains_nor_falls_back(rows: list[Measured]) -> None:
    newest = {DRIFT: DAY}
    alone = [(table, one) for table, one in rows if one["dt"] == newest.get(table, before(1))]
    assert verdict(alone).state in {"ok", "watch", "alert"}


@given(rows=measured(), gone=AGES)
def test_a_day_that_is_missing_never_makes_it_worse(rows: list[Measured], gone: int) -> None:
    order = ["ok", "watch", "alert", "retrain", "fall back"]
    fewer = [(table, one) for table, one in rows if one["dt"] != before(gone) or table == "monitoring/quality"]
    assert order.index(verdict(fewer).state) <= order.index(verdict(rows).state)


@given(rows=measured(), ago=st.integers(1, 5))
def test_after_a_training_none_is_begun_while_it_cools_down(rows: list[Measured], ago: int) -> None:
    assert verdict(rows, history=[Action(RETRAIN, before(ago), 6, "drift")]).state != "retrain"


@given(rows=measured(), number=st.sampled_from([None, 6, 8]))
def test_what_another_version_did_does_not_count(rows: list[Measured], number: int | None) -> None:
    others = [(table, one | {"version": number}) for table, one in rows if table != "monitoring/quality"]
    assert verdict(others).state == "ok"


@given(rows=measured(), low=st.floats(0.0, 0.4), high=st.floats(0.4, 1.0))
def test_a_dip_whose_interval_holds_what_was_promised_does_nothing(
    rows: list[Measured], low: float, high: float
) -> None:
    calm = [(table, one) for table, one in rows if table != PERFORMANCE]
    dips = [ndcg(before(age), low, high) for age in (1, 2, 3)]
    assert verdict([*calm, *dips]) == verdict(calm)


@given(rows=measured())
def test_wrong_data_within_the_window_never_trains(rows: list[Measured]) -> None:
    assert verdict([*rows, *wrong_unit(DAY)]).state != "retrain"


@pytest.mark.parametrize(
    ("ages", "state"),
    [
        ((0,), "watch"),
        ((0, 1), "retrain"),
        ((0, 2), "retrain"),  # the day between was not measured, or was good
        ((1, 2), "ok"),  # the newest is good
        ((0, 3), "watch"),  # the other is too long ago
    ],
)
def test_two_of_the_last_three_days_with_the_newest_train(ages: tuple[int, ...], state: str) -> None:
    rows = [one for age in range(4) for one in psi(before(age), **(BAD if age in ages else GOOD))]
    assert verdict(rows).state == state


def test_features_that_count_little_do_not_train() -> None:
    assert verdict([*psi(DAY, buyer_orders=0.9), *psi(before(1), buyer_orders=0.9)]).state == "ok"
    alike = verdict([*psi(DAY, buyer_orders=0.9), *psi(before(1), buyer_orders=0.9)], importance={})
    assert alike.state == "retrain"  # a third of all, where nobody knows what counts


@pytest.mark.parametrize(
    ("feature", "state"),
    [
        ("product_discount", "alert"),
        ("product_shown_1d", "ok"),
        ("product_trend_shown", "ok"),
        ("shop_clicks_28d", "ok"),
        ("buyer_carts_7d", "ok"),
    ],
)
def test_one_feature_far_off_alerts_unless_it_only_follows_the_whole_shops_demand(feature: str, state: str) -> None:
    moved = [row(DRIFT, DAY, f"feature {feature} {measure}", 0.6, expected=0.03) for measure in ("psi", "ks")]
    assert verdict([*psi(DAY), *moved]).state == state


def test_too_few_rows_say_nothing() -> None:
    few = [(table, one | {"rows": 499}) for age in (0, 1) for table, one in psi(before(age), **BAD)]
    assert verdict(few).state == "ok"


def test_worse_than_control_with_confidence_falls_back_once() -> None:
    rows = [against(before(1), -0.03, -0.01), against(before(2), -0.04, -0.02)]
    assert verdict(rows).state == "fall back"
    fallen = Action(FALL_BACK, before(1), CHAMPION, "worse")
    held = verdict(rows, history=[fallen])
    assert (held.state, held.held_back) == ("alert", (f"Version {CHAMPION} is held back since {before(1)}.",))
    assert (
        verdict(rows, history=[fallen, Action(RELEASE, before(1), CHAMPION, "it was the price")]).state == "fall back"
    )
    assert verdict([against(before(1), -0.03, 0.01), against(before(2), -0.04, -0.02)]).state == "ok"


def test_of_many_segments_one_by_chance_is_no_finding() -> None:
    def segments(count: int, high: float) -> list[Measured]:
        return [
            row(PERFORMANCE, before(age), f"reranked city={n} ndcg@10", 0.36, low=0.34, high=high, expected=0.40)
            for n in range(count)
            for age in (1, 2)
        ]

    assert verdict(segments(1, 0.379)).state == "alert"
    assert verdict(segments(40, 0.379)).state == "ok"


def test_a_segment_alone_neither_trains_nor_falls_back() -> None:
    rows = [
        row(PERFORMANCE, before(age), "reranked buyer=new ndcg@10", 0.2, low=0.19, high=0.21, expected=0.4)
        for age in (1, 2)
    ]
    assert verdict(rows).state == "alert"


def test_after_wrong_data_is_mended_what_lags_behind_does_not_train() -> None:
    rows = [*wrong_unit(before(1)), *wrong_unit(before(2)), ndcg(before(1), 0.2, 0.22), ndcg(before(2), 0.2, 0.22)]
    found = verdict(rows)
    assert found.state == "alert"
    assert "wrong data" in found.held_back[0]


def test_the_policy_is_what_decides() -> None:
    rows = psi(DAY, product_price=0.15)
    strict = open_policy(MonitoringSettings.model_validate({"inputs": {"threshold": 0.1, "days": 1, "of": 1}}))
    assert (verdict(rows).state, verdict(rows, policy=strict).state) == ("ok", "retrain")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_more_bad_days_than_the_window_has_are_refused(rule: Any) -> None:  # noqa: ANN401  (a class)
    with pytest.raises(ValueError, match="is impossible"):
        rule(days=4, of=3)


def test_cool_down_ends() -> None:
    rows = [*psi(DAY, **BAD), *psi(before(1), **BAD)]
    assert verdict(rows, history=[Action(RETRAIN, DAY - timedelta(days=6), 6, "drift")]).state == "retrain"
    assert verdict(rows, history=[Action(RETRAIN, DAY - timedelta(days=5), 6, "drift")]).state == "alert"


def test_a_count_that_was_never_so_high_is_no_new_code() -> None:
    rows = [row(DRIFT, before(age), "feature shop_products new_values", 0.7) for age in (0, 1)]
    assert verdict(rows).state == "ok"
