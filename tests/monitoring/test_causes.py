"""Why something is wrong: the four things that happen to a marketplace, from what would be measured."""

from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from rankloop.cli.main import app
from rankloop.monitoring.act.incidents import DRIFT as INCIDENTS
from rankloop.monitoring.measure.tables import CONCEPT, DRIFT, PERFORMANCE, QUALITY
from rankloop.monitoring.policy.root_cause import RootCause
from rankloop.monitoring.policy.rule_set import open_policy
from rankloop.monitoring.report.pages import render_cause
from rankloop.settings import SettingsError
from rankloop.settings.monitoring import MonitoringSettings
from tests.monitoring.measured_rows import (
    CHAMPION,
    DAY,
    IMPORTANCE,
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

BOTH = (1, 2)


def cause(rows: list[Measured]) -> RootCause:
    """The one cause."""
    [found] = verdict(rows).causes
    return found


def campaign() -> list[Measured]:
    """Prices of seasonal products fall and demand follows them; rankings keep up."""
    moved = [one for age in (0, 1) for one in psi(before(age), product_price=0.4, product_ctr=0.3)]
    return [*moved, *(ndcg(before(age), 0.39, 0.42) for age in BOTH)]


def shifted_taste(ages: Sequence[int] = (1, 2, 3)) -> list[Measured]:
    """Buyers love other things since some days; the inputs stay."""
    calm = [one for age in (0, 1) for one in psi(before(age))]
    residual = [
        row(CONCEPT, before(1), "residual category=1108 calibration", -0.4, low=-0.5, high=-0.3),
        row(CONCEPT, before(1), "residual category=2000 calibration", 0.1, low=-0.1, high=0.3),
    ]
    newer = [fresh(before(age), 0.02, 0.05) for age in ages]
    return [*calm, *residual, *newer, *(ndcg(before(age), 0.30, 0.33) for age in ages)]


def test_a_campaign_is_a_covariate_shift_and_performance_holds() -> None:
    found = cause(campaign())
    assert (found.kind, verdict(campaign()).state) == ("covariate shift", "retrain")
    assert "Performance holds so far." in found.reasons
    # 0.4 of half the importance comes before 0.3 of three tenths.
    assert [one.feature for one in found.suspects] == ["product_price", "product_ctr", "buyer_orders"]


def test_inputs_that_moved_and_rankings_that_fell_are_a_covariate_shift_too() -> None:
    rows = [*campaign()[:6], *(ndcg(before(age), 0.30, 0.33) for age in BOTH)]
    found = cause(rows)
    assert found.kind == "covariate shift"
    assert "Performance has fallen with it." in found.reasons


def test_other_tastes_are_a_concept_drift_and_the_page_says_where() -> None:
    found = cause(shifted_taste())
    assert (found.kind, verdict(shifted_taste()).state) == ("concept drift", "retrain")
    assert found.where[0] == "category=1108: -40% clicks against the expected"
    assert found.reasons[-1].startswith("The inputs stayed")


def reranked(segment: str, measure: str, high: float, age: int = 1) -> Measured:
    """What the champion would have made of a segment, where 0.40 was promised."""
    more = {"low": high - 0.1, "high": high, "expected": 0.40}
    return row(PERFORMANCE, before(age), f"reranked {segment} {measure}", high - 0.05, **more)


def test_only_segments_that_moved_beyond_chance_are_places() -> None:
    # The second residual of `shifted_taste` may be chance, and so may what lies around the promise.
    rows = [*shifted_taste(), reranked("price=1", "ndcg@10", 0.41), reranked("price=4", "ndcg@10", 0.3, age=2)]
    assert cause(rows).where == ("category=1108: -40% clicks against the expected",)


def test_a_segment_that_fell_below_its_promise_is_a_place_once() -> None:
    rows = [*shifted_taste(), reranked("price=1", "ndcg@10", 0.30), reranked("price=1", "ctr@10", 0.35)]
    assert cause(rows).where == (
        "category=1108: -40% clicks against the expected",
        "price=1: NDCG@10 -38% against the promised",
    )


def test_live_figures_of_segments_are_no_places() -> None:
    live = row(PERFORMANCE, before(1), "live price=1 ndcg@10", 0.1, low=0.05, high=0.15)
    assert cause([*shifted_taste(), live]).where == cause(shifted_taste()).where


def test_an_alert_says_what_to_look_at_who_may_sleep_and_how_to_say_so() -> None:
    residual = [row(CONCEPT, before(a), "residual price=1 calibration", -0.6, low=-0.7, high=-0.5) for a in BOTH]
    moved = row(DRIFT, DAY, "feature product_discount psi", 0.4, expected=0.01)
    found = cause([*psi(DAY, product_ctr=0.15), moved, *residual])
    nothing_tonight, look, say = found.todo
    assert nothing_tonight.startswith("Nobody has to act tonight as long as performance holds: `rankloop live show`")
    assert look == (
        "Look first at the drift report, where there is one (under Read on); the "
        "features product_discount, product_ctr; the segments price=1."
    )
    assert f"`rankloop alerts ack '{INCIDENTS}:{found.key}' --note" in say


def test_what_wakes_nobody_asks_for_nothing() -> None:
    rows = [row(DRIFT, DAY, "prediction score psi", 0.5), *psi(DAY)]
    assert cause(rows).todo == ("Nothing yet: check again tomorrow.",)


def test_rankings_worse_than_the_shops_own_are_taken_off_by_itself_or_by_hand() -> None:
    found = cause([*psi(DAY), *(against(before(age), -0.03, -0.01) for age in BOTH)])
    assert "With `monitoring.mode` on that happens by itself" in found.todo[0]
    assert f'`rankloop monitoring hold {CHAMPION} --reason "…"`' in found.todo[0]


COMMANDS = ("alerts ack", "monitoring hold", "monitoring show", "live show")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_that_pages_name_are_there(command: str) -> None:
    assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0


def test_a_feature_that_hardly_counts_explains_no_fall() -> None:
    aside = row(DRIFT, DAY, "feature product_discount psi", 0.4, expected=0.01)
    found = verdict([*shifted_taste(), aside], importance=IMPORTANCE | {"product_discount": 0.001})
    assert (found.state, [one.kind for one in found.causes]) == ("retrain", ["concept drift"])
    assert "product_discount moved by a psi of 0.40" in "".join(found.causes[0].reasons).lower()


def test_new_tastes_are_learned_once_there_are_days_to_learn_them_from() -> None:
    early = verdict(shifted_taste(BOTH))
    assert (early.state, early.causes[0].kind, early.causes[0].since) == ("alert", "concept drift", before(2))
    assert early.held_back == (
        f"Tastes moved on {before(2)}: as of {before(-1)} there are 3 days of lists to learn them from.",
    )
    assert verdict(shifted_taste(BOTH), policy=open_policy(MonitoringSettings(learn_days=2))).state == "retrain"


def test_days_to_learn_from_are_as_many_as_are_looked_back_on() -> None:
    with pytest.raises(SettingsError, match="learn_days is 4, but performance and fresh look back on 3 days"):
        open_policy(MonitoringSettings(learn_days=4))


def test_a_fresh_model_that_is_better_is_enough() -> None:
    calm = [one for age in (0, 1) for one in psi(before(age))]
    rows = [*calm, *(fresh(before(age), 0.02, 0.05) for age in (1, 2, 3))]
    assert cause(rows).kind == "concept drift"
    assert verdict(rows).state == "retrain"


def test_new_shops_bring_values_never_seen_and_no_training_before_it_counts() -> None:
    rows = [
        one
        for age in (0, 1)
        for one in [*psi(before(age)), row(DRIFT, before(age), "feature buyer_city_id new_values", 0.35)]
    ]
    assert (cause(rows).kind, verdict(rows).state) == ("covariate shift", "alert")


@pytest.mark.parametrize(
    ("source", "rows", "state"),
    [("products", 1957, "alert"), ("products", 1800, "ok"), ("products", 1700, "ok"), ("impressions", 1957, "ok")],
)
def test_a_seventh_more_products_overnight_is_a_covariate_shift_at_once(source: str, rows: int, state: str) -> None:
    held = {"expected": 1660.0, "low": 1500.0, "high": 1750.0, "rows": rows, "version": None}
    found = verdict([*psi(before(0)), row(QUALITY, DAY, f"source {source} rows", float(rows), **held)])
    assert (found.state, [one.kind for one in found.causes]) == (state, ["covariate shift"] * (state == "alert"))
    if state == "alert":
        assert found.causes[0].reasons[0] == "There are 1,957 products, where 1,660 are usual, on 2026-11-20."


@pytest.mark.parametrize(("usual", "state"), [(0.0, "alert"), (0.03, "alert"), (0.05, "ok"), (0.2, "ok")])
def test_a_feature_that_moves_ten_times_as_far_as_ever_is_a_covariate_shift_at_once(usual: float, state: str) -> None:
    # The champion hardly goes by discounts, so a campaign never comes to the share of importance that `inputs` wants.
    rows = [*psi(before(0)), row(DRIFT, DAY, "feature product_discount psi", 0.4, expected=usual)]
    found = verdict(rows, importance=IMPORTANCE | {"product_discount": 0.001})
    assert (found.state, [one.kind for one in found.causes]) == (state, ["covariate shift"] * (state == "alert"))


@pytest.mark.parametrize(("ks", "state"), [(0.2, "ok"), (0.4, "alert")])
def test_a_few_values_that_go_to_the_next_bin_are_no_move(ks: float, state: str) -> None:
    rows = [
        *psi(before(0)),
        row(DRIFT, DAY, "feature shop_discount psi", 1.1, expected=0.09),
        row(DRIFT, DAY, "feature shop_discount ks", ks, expected=0.1),
    ]
    assert verdict(rows, importance=IMPORTANCE | {"shop_discount": 0.001}).state == state


def test_another_unit_is_a_data_bug_whatever_else_moved() -> None:
    rows = [*wrong_unit(DAY), *campaign(), *shifted_taste()]
    found = cause(rows)
    assert (found.kind, found.key, verdict(rows).state) == ("data bug", "data bug: products", "alert")
    assert found.where == ("products.final_price",)
    assert found.reasons[0] == (
        "The median of products.final_price is 250, where 250,000 is usual: 1,000 times less, on 2026-11-20."
    )
    assert "What else is bad may follow from wrong data, and no training fixes that." in found.reasons


def test_prices_a_thousand_times_less_in_the_features_alone_are_a_data_bug() -> None:
    rows = [row(DRIFT, DAY, "feature product_price median", 250.0, expected=250_000.0)]
    assert (cause(rows).key, verdict(rows).state) == ("data bug: features", "alert")
    twice = [row(DRIFT, DAY, "feature product_price median", 500_000.0, expected=250_000.0)]
    assert verdict(twice).state == "ok"


def test_a_silent_source_names_the_partition_to_clear() -> None:
    rows = [
        row(
            QUALITY,
            DAY,
            "source interactions rows",
            120.0,
            expected=48_000.0,
            low=4e4,
            high=6e4,
            rows=120,
            version=None,
        )
    ]
    found = cause(rows)
    assert found.key == "data bug: interactions"
    assert any("clear `extract` of interactions" in step and "partition 2026-11-20" in step for step in found.todo)


@pytest.mark.parametrize(("measure", "share"), [("nulls", 0.3), ("off_scale", 0.03), ("jumped", 0.03)])
def test_a_column_emptier_or_further_off_than_on_usual_days_is_a_data_bug(measure: str, share: float) -> None:
    what, usual = (
        f"column products.final_price {measure}",
        {"low": 0.0, "high": 0.02, "expected": 0.01, "version": None},
    )
    assert cause([row(QUALITY, DAY, what, share, **usual)]).key == "data bug: products"
    assert verdict([row(QUALITY, DAY, what, share, **usual | {"high": share})]).causes == ()
    assert verdict([row(QUALITY, DAY, what, share, **usual | {"expected": share})]).causes == ()
    unknown = {"low": None, "high": None, "expected": None, "version": None}
    assert verdict([row(QUALITY, DAY, what, share, **unknown)]).causes == ()


def test_the_prices_of_one_shop_in_another_unit_are_found_though_the_median_stays() -> None:
    usual = {"version": None, "low": 0.0, "high": 0.002}
    rows = [
        row(QUALITY, DAY, "column products.final_price median", 249_000.0, expected=250_000.0, version=None),
        row(QUALITY, DAY, "column products.final_price off_scale", 0.04, expected=0.001, **usual),
        row(QUALITY, DAY, "column products.final_price jumped", 0.04, expected=0.0, **usual),
        *psi(DAY, product_price=0.3),
        *psi(before(1), product_price=0.3),
    ]
    found = cause(rows)
    assert (found.key, verdict(rows).state) == ("data bug: products", "alert")
    assert "off by a large factor in 4.0% of the rows" in found.reasons[0]


def prices_off(measure: str, *shops: tuple[int, int, int], age: int = 0) -> list[Measured]:
    """Prices that are off, with the shops that they are of: its number, how many are, of how many."""
    usual = {"version": None, "low": 0.0, "high": 0.002, "expected": 0.0}
    what, day = "products.final_price", before(age)
    named = [
        row(QUALITY, day, f"shop {what} -", hits / rows, **usual | {"measure": f"{measure} {shop}", "rows": rows})
        for shop, hits, rows in shops
    ]
    return [row(QUALITY, day, f"column {what} {measure}", 0.04, **usual), *named]


def test_prices_in_another_unit_are_laid_to_their_shop() -> None:
    found = cause(prices_off("off_scale", (200123, 41, 43)))
    assert found.where == ("shop 200123: 41 of 43 prices off scale", "products.final_price")


def test_a_shop_whose_prices_jumped_is_named_before_those_that_are_off_scale() -> None:
    rows = [*prices_off("off_scale", (200124, 9, 20)), *prices_off("jumped", (7, 8, 8), (200123, 43, 43), age=1)]
    assert cause(rows).where == (
        "shop 200123: 43 of 43 prices jumped",
        "shop 7: 8 of 8 prices jumped",
        "products.final_price",
    )


def test_what_shops_are_like_is_not_judged() -> None:
    rows = prices_off("off_scale", (200123, 41, 43))
    assert verdict(rows[1:]).causes == ()
    assert cause(rows).findings == cause(rows[:1]).findings


def test_a_feature_that_differs_half_as_much_from_day_to_day_has_not_drifted() -> None:
    def restless(usual: float) -> list[Measured]:
        return [
            (table, one | {"expected": usual}) for age in (0, 1) for table, one in psi(before(age), product_price=0.6)
        ]

    assert (verdict(restless(0.35)).state, verdict(restless(0.25)).state) == ("ok", "retrain")


def test_two_broken_sources_are_two_incidents() -> None:
    silent = row(QUALITY, DAY, "source buyers rows", 0.0, expected=2000.0, rows=0, version=None)
    features = row(DRIFT, DAY, "feature product_price missing", 0.6, expected=0.1)
    found = verdict([*wrong_unit(DAY), silent, features]).causes
    assert [one.key for one in found] == ["data bug: buyers", "data bug: products"]


def test_scores_that_moved_alone_are_watched_without_a_cause() -> None:
    rows = [row(DRIFT, DAY, "prediction score psi", 0.5), *psi(DAY)]
    assert (cause(rows).kind, verdict(rows).state) == ("unclear", "watch")


def test_the_page_says_first_what_to_do() -> None:
    found = verdict([*wrong_unit(DAY), *campaign()])
    page = render_cause(found.causes[0], found, "http://airflow", "http://mlflow")
    titles = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert titles[:2] == ["What to do", "What is wrong"]
    assert titles[-2:] == ["Whom it concerns", "Read on"]
    assert page.startswith("# The data of products is wrong\n\nData bug, since 2026-11-20.")
    assert "| product_price | 0.40 | 50.0% |" in page
    assert "Nothing is trained on wrong data: The data of products is wrong." in page


def test_where_nothing_was_promised_nothing_has_fallen() -> None:
    rows = [row(PERFORMANCE, before(age), "live all ndcg@10", 0.1, low=0.09, high=0.11) for age in BOTH]
    assert verdict(rows).state == "ok"
