"""Live results: what they say against a slow count and against the hidden truth, and on days that have none."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort

from rankloop.contracts.lake import REACTIONS, SHOWN
from rankloop.experiment import is_control
from rankloop.monitoring.measure import buyer_totals as module
from rankloop.monitoring.measure.buyer_totals import NAMES, BuyerTotals
from rankloop.monitoring.measure.live_results import LIVE, live_results
from rankloop.settings import Settings
from rankloop_demo.simulator.living import Marketplace, happen
from rankloop_demo.simulator.storefront import Rankings, as_rankings, personalised
from rankloop_demo.simulator.taste import click_probability
from tests.building import lake_of
from tests.features.market import FIRST_DAY, ZONE, DayOfEvents, clean_events, day_of, instant, put, reaction, shown_list
from tests.monitoring.entries import measure_live_results
from tests.simulator.batches import oracle

pytestmark = pytest.mark.stack

SHARE = 0.5
BASE_DAY, DAY, AFTER = (FIRST_DAY + timedelta(days=number) for number in range(3))
PLACE = Marketplace(seed=7, scale=0.1, first_day=FIRST_DAY, timezone=ZONE, dirt=False)
MARKS = {"click": 1, "add_to_cart": 2, "order": 3}
Row = dict[str, Any]
Key = tuple[str, str, str, str, int | None]


@cache
def rankings() -> Rankings:
    """What buyers who are not control like best."""
    found = oracle(PLACE, DAY)
    control = is_control([one.account_id for one in found], SHARE)
    return as_rankings(PLACE.world, [one for one, stays in zip(found, control, strict=True) if not stays])


@pytest.fixture(scope="module")
def events() -> Mapping[date, DayOfEvents]:
    """A day of base rankings, and two on which half of the buyers see ours."""
    return clean_events(PLACE, [BASE_DAY, DAY, AFTER], {DAY: rankings(), AFTER: rankings()})


@pytest.fixture(scope="module")
def shop(events: Mapping[date, DayOfEvents], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    for day, found in events.items():
        put(settings, day, found)
    return settings


def results(settings: Settings, day: date) -> dict[Key, Row]:
    """The rows of a day by their keys."""
    rows = lake_of(settings).read(LIVE, [day]).to_pylist()
    keyed = {tuple(row[name] for name in ("arm", "policy", "surface", "metric", "k")): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


@pytest.fixture(scope="module")
def judged(shop: Settings) -> dict[Key, Row]:
    assert measure_live_results(shop, DAY)["rows"]
    return results(shop, DAY)


# A slow count


def labelled_lists(events: Mapping[date, DayOfEvents]) -> Iterator[Row]:
    """Each list of the day with its labels in the order shown, its orders and what they were worth."""
    lists: dict[str, list[Row]] = {}
    for row in events[DAY][SHOWN].to_pylist():
        lists.setdefault(row["request_id"], []).append(row)
    told = [*events[DAY][REACTIONS].to_pylist(), *events[AFTER][REACTIONS].to_pylist()]
    for name, rows in lists.items():
        rows.sort(key=lambda row: row["position"])
        mine = [one for one in told if one["request_id"] == name and one["ts"] <= rows[0]["ts"] + timedelta(days=1)]
        marks = [
            max((MARKS.get(one["kind"], 0) for one in mine if one["product_id"] == row["product_id"]), default=0)
            for row in rows
        ]
        orders = [one["price"] * one["quantity"] for one in mine if one["kind"] == "order"]
        yield {**rows[0], "marks": marks, "orders": len(orders), "gmv": sum(orders)}


def counted(lists: Sequence[Row]) -> dict[tuple[str, int | None], float]:
    """Every metric of these lists, by its definition."""
    buyers = len({one["account_id"] for one in lists})
    found: dict[tuple[str, int | None], float] = {
        ("orders_per_1000_lists", None): 1000 * sum(one["orders"] for one in lists) / len(lists),
        ("orders_per_buyer", None): sum(one["orders"] for one in lists) / buyers,
        ("gmv_per_buyer", None): sum(one["gmv"] for one in lists) / buyers,
    }
    for k in (5, 10, 20, 30):
        tops = [one["marks"][:k] for one in lists]
        found["ctr", k] = sum(mark > 0 for top in tops for mark in top) / sum(map(len, tops))
        liked = [one["marks"] for one in lists if any(one["marks"])]
        if liked:
            shares = [sum(m > 0 for m in marks[:k]) / sum(m > 0 for m in marks) for marks in liked]
            found["recall", k] = sum(shares) / len(shares)
            found["map", k] = sum(average_precision(marks, k) for marks in liked) / len(liked)
            gains = [dcg(marks[:k]) / dcg(sorted(marks, reverse=True)[:k]) for marks in liked]
            found["ndcg", k] = sum(gains) / len(gains)
    return found


def average_precision(marks: Sequence[int], k: int) -> float:
    hits = [place for place, mark in enumerate(marks[:k], 1) if mark]
    return sum(number / place for number, place in enumerate(hits, 1)) / min(sum(mark > 0 for mark in marks), k)


def dcg(marks: Sequence[int]) -> float:
    return sum((2**mark - 1) / math.log2(place + 2) for place, mark in enumerate(marks))


def test_every_value_is_that_of_a_slow_count(judged: dict[Key, Row], events: Mapping[date, DayOfEvents]) -> None:
    lists = list(labelled_lists(events))
    control = is_control([one["account_id"] for one in lists], SHARE)
    arms = {"control": control, "personalised": ~control}
    expected: dict[Key, float] = {}
    for arm, chosen in arms.items():
        mine = [one for one, is_in in zip(lists, chosen, strict=True) if is_in]
        for policy in ("all", *{one["policy"] for one in mine}):
            for surface in ("all", "home", "category", "search"):
                at = [one for one in mine if policy in {"all", one["policy"]} and surface in {"all", one["surface"]}]
                if at:
                    expected |= {(arm, policy, surface, *name): value for name, value in counted(at).items()}
    for arm, *rest in [key for key in expected if key[:2] == ("personalised", "all")]:
        expected["difference", *rest] = expected[arm, *rest] - expected["control", *rest]
    assert {key: row["value"] for key, row in judged.items()} == pytest.approx(expected)
    assert {key[1] for key in expected} == {"all", "base", "version 1"}


def test_lists_and_buyers_are_counted(judged: dict[Key, Row], events: Mapping[date, DayOfEvents]) -> None:
    lists = list(labelled_lists(events))
    ours = [one for one in lists if one["policy"] == "version 1"]
    row = judged["personalised", "version 1", "home", "ctr", 10]
    assert (row["lists"], row["buyers"]) == (len(ours), len({one["account_id"] for one in ours}))
    row = judged["difference", "all", "all", "ctr", 10]
    assert (row["lists"], row["buyers"]) == (len(lists), len({one["account_id"] for one in lists}))


# Against the truth


@pytest.mark.parametrize("k", [5, 10, 20, 30])
def test_the_intervals_hold_the_true_ctr(k: int, judged: dict[Key, Row]) -> None:
    lists, _ = happen(PLACE, DAY, 0)
    market = PLACE.market(DAY)
    shown, _ = personalised(lists, rankings(), market)
    home = shown.surface == 0
    control = is_control(PLACE.world.buyers.id[shown.buyer], SHARE)
    probability = click_probability(PLACE.world, market, shown)[:, :k]
    true = {
        arm: probability[home & chosen].sum() / shown.shown[home & chosen, :k].sum()
        for arm, chosen in (("control", control), ("personalised", ~control))
    }
    true["difference"] = true["personalised"] - true["control"]
    for arm, value in true.items():
        row = judged[arm, "all", "home", "ctr", k]
        assert row["low"] < value < row["high"], arm
    assert judged["difference", "all", "home", "ctr", k]["low"] > 0


def made(random: np.random.Generator, buyers: int, rate: float) -> BuyerTotals:
    """Buyers with some lists of ten products each, who differ in how readily they click."""
    lists = 1 + random.poisson(2, buyers)
    own = rate * random.gamma(2, 0.5, buyers)
    clicks = random.binomial(10 * lists, np.minimum(own, 1))
    part, whole = np.zeros((buyers, len(NAMES))), np.zeros((buyers, len(NAMES)))
    column = NAMES.index("ctr@10")
    part[:, column], whole[:, column] = clicks, 10 * lists
    policy = np.where(is_control(np.arange(buyers), SHARE), "base", "version 1")
    return BuyerTotals(np.arange(buyers), policy, np.full(buyers, "home"), lists, part, whole)


def test_of_many_intervals_about_nineteen_in_twenty_hold_the_truth() -> None:
    random, rate, trials = np.random.default_rng(5), 0.04, 100
    held = dict.fromkeys(("control", "personalised", "difference"), 0)
    for number in range(trials):
        rows = live_results(made(random, 300, rate), SHARE, DAY + timedelta(days=number))
        for row in rows:
            if (row["policy"], row["surface"], row["metric"], row["k"]) == ("all", "all", "ctr", 10):
                true = 0.0 if row["arm"] == "difference" else rate
                held[row["arm"]] += row["low"] <= true <= row["high"]
    assert all(0.88 * trials <= count <= 0.995 * trials for count in held.values()), held


@given(st.randoms(use_true_random=False))
@effort(max_examples=10, deadline=None)
def test_the_order_in_which_buyers_are_counted_changes_nothing(chance: Any) -> None:  # noqa: ANN401
    sums = made(np.random.default_rng(3), 60, 0.05)
    order = list(range(len(sums)))
    chance.shuffle(order)
    assert live_results(sums.take(np.array(order)), SHARE, DAY) == live_results(sums, SHARE, DAY)


# Days that are cleared, early, or without anything to say


def test_a_day_judged_again_or_in_portions_is_the_same(
    shop: Settings, judged: dict[Key, Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged
    before = lake_of(shop).digest(LIVE, DAY)
    monkeypatch.setattr(module, "PORTION_ROWS", 2000)
    assert measure_live_results(shop, DAY)["digest"] == before


def test_a_day_is_not_judged_before_the_day_after_is_there(shop: Settings) -> None:
    assert "whose events are not in the lake yet" in measure_live_results(shop, AFTER)["skipped"]
    assert "are not in the lake" in measure_live_results(shop, AFTER + timedelta(days=1))["skipped"]
    assert "are not in the lake" in measure_live_results(shop, BASE_DAY - timedelta(days=1))["skipped"]
    assert set(lake_of(shop).days(LIVE)) <= {BASE_DAY, DAY}


def test_a_day_of_base_rankings_has_control_alone(shop: Settings) -> None:
    assert measure_live_results(shop, BASE_DAY)["rows"]
    assert {key[0] for key in results(shop, BASE_DAY)} == {"control"}


def test_a_day_without_a_list_has_no_row(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for day in (DAY, AFTER):
        put(settings, day, day_of(day))
    assert measure_live_results(settings, DAY)["rows"] == 0


@pytest.mark.parametrize(("hours_after", "counted"), [(23, True), (25, False)])
def test_what_comes_later_than_a_day_after_its_list_does_not_count(
    hours_after: int,
    counted: bool,  # noqa: FBT001  (a case of the table)
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path)
    buyer = next(number for number in range(1, 99) if is_control([number], SHARE)[0])
    late = {"request_id": "q1", "ts": instant(DAY) + timedelta(hours=hours_after)}
    told = [reaction(AFTER, kind, buyer, 3, **late) for kind in ("click", "order")]
    put(settings, DAY, day_of(DAY, shown=shown_list(DAY, "q1", buyer, range(1, 21))))
    put(settings, AFTER, day_of(AFTER, reactions=told))
    measure_live_results(settings, DAY)
    found = results(settings, DAY)
    place = ("control", "base", "home")
    assert found[*place, "ctr", 5]["value"] == (0.2 if counted else 0.0)
    assert found[*place, "orders_per_buyer", None]["value"] == float(counted)
    assert found[*place, "gmv_per_buyer", None]["value"] == (100_000.0 if counted else 0.0)
    assert ((*place, "recall", 5) in found) is counted
