"""The gate: each rule passes, fails, and says so."""

import json
from dataclasses import replace

import pytest

from rankloop.ranking.comparison import Bootstrap, Comparison, Delta
from rankloop.ranking.gate import GateResult, Outcome, judge
from rankloop.settings.gate import GateSettings

SETTINGS = GateSettings()


def delta(metric: str, difference: float, half: float = 0.004, *, segment: str = "all", lists: int = 5000) -> Delta:
    bounds = (difference - half, difference + half)
    return Delta(segment, metric, lists, 0.4, 0.4 + difference, difference, *bounds)


def compared(*deltas: Delta, ndcg: Delta | None = None, recall: Delta | None = None) -> Comparison:
    """A comparison that would pass, but for what is said here."""
    overall = (ndcg or delta("ndcg@10", 0.03), recall or delta("recall@30", 0.001))
    return Comparison("champion_score", "pscore", ("test_0",), 9000, Bootstrap(), (*overall, *deltas))


def outcome(result: GateResult, name: str) -> Outcome:
    return next(rule.outcome for rule in result.rules if name in (rule.name, rule.segment))


def test_a_challenger_that_is_better_everywhere_passes() -> None:
    result = judge(compared(delta("ndcg@10", 0.02, segment="product=cold")), SETTINGS)
    assert result.passed
    assert result.verdict == (
        "Worth asking about: NDCG@10 is up by 0.0300 (between +0.0260 and +0.0340) against the champion."
    )
    assert {rule.outcome for rule in result.rules} == {"pass"}


def test_a_rise_that_may_be_chance_fails() -> None:
    result = judge(compared(ndcg=delta("ndcg@10", 0.003)), SETTINGS)
    assert not result.passed
    assert result.failures[0].sentence == (
        "NDCG@10 0.4000 -> 0.4030, +0.0030 (95% interval -0.0010 to +0.0070, 5,000 lists); "
        "its lower bound has to be above 0: fail."
    )
    assert result.verdict == (
        "Rejected: NDCG@10 is up by 0.0030 (between -0.0010 and +0.0070) against the champion; it fails on NDCG@10."
    )


@pytest.mark.parametrize(("difference", "said"), [(0.0, "pass"), (-0.002, "fail"), (0.01, "pass")])
def test_recall_may_not_be_down_by_more_than_the_tolerance_at_its_lower_bound(difference: float, said: Outcome) -> None:
    result = judge(compared(recall=delta("recall@30", difference)), SETTINGS)
    assert outcome(result, "recall") == said
    assert result.passed == (said == "pass")


@pytest.mark.parametrize(
    ("difference", "half", "lists", "said"),
    [
        (-0.03, 0.01, 1000, "fail"),
        (-0.01, 0.005, 1000, "pass"),  # down for sure, but by less than the floor
        (-0.03, 0.05, 1000, "unsure"),  # down by more as far as one sees, but may as well be up
        (-0.03, 0.01, 199, "not judged"),
        (0.01, 0.05, 1000, "pass"),
    ],
)
def test_a_segment_fails_where_it_is_surely_down_and_by_more_than_its_floor(
    difference: float, half: float, lists: int, said: Outcome
) -> None:
    result = judge(compared(delta("ndcg@10", difference, half, segment="product=cold", lists=lists)), SETTINGS)
    assert outcome(result, "product=cold") == said
    assert result.passed == (said != "fail")
    assert said in result.rules[-1].sentence
    assert ("look at cold products" in result.verdict) == (said == "unsure")


@pytest.mark.parametrize(
    ("floors", "passed"),
    [({}, False), ({"product": 0.05}, True), ({"product": 0.05, "product=cold": 0.01}, False), ({"city": 0.9}, False)],
)
def test_a_segment_may_have_a_floor_of_its_own(floors: dict[str, float], passed: bool) -> None:  # noqa: FBT001
    result = judge(compared(delta("ndcg@10", -0.03, 0.01, segment="product=cold")), GateSettings(segment_floors=floors))
    assert result.passed == passed


def test_a_kind_of_segment_that_does_not_decide_is_still_shown() -> None:
    result = judge(compared(delta("ndcg@10", -0.03, 0.01, segment="price=1")), SETTINGS)
    assert result.passed
    assert result.rules[-1].sentence.endswith("fail (shown, does not decide).")
    assert "look at price quartile 1" in result.verdict


@pytest.mark.parametrize(("age", "drift"), [(29, False), (None, True), (3, True)])
def test_a_refresh_has_only_to_be_no_worse(age: int | None, drift: bool) -> None:  # noqa: FBT001
    level = compared(
        delta("ndcg@10", -0.03, 0.01, segment="product=cold"),
        ndcg=delta("ndcg@10", 0.0),
        recall=delta("recall@30", -0.01),
    )
    assert not judge(level, SETTINGS).passed
    result = judge(level, SETTINGS, champion_age_days=age, drift=drift)
    assert (result.mode, result.passed) == ("refresh", True)
    assert result.verdict.endswith("look at recall@30, cold products.")


def test_a_refresh_that_may_be_worse_by_the_margin_fails() -> None:
    result = judge(compared(ndcg=delta("ndcg@10", -0.002)), SETTINGS, drift=True)
    assert (outcome(result, "no_worse"), result.passed) == ("fail", False)


def test_a_champion_of_four_weeks_is_not_yet_old() -> None:
    assert judge(compared(), SETTINGS, champion_age_days=28).mode == "improvement"


def test_without_a_champion_drift_makes_nothing_easier() -> None:
    first = replace(compared(), champion="base_score")
    result = judge(first, SETTINGS, drift=True)
    assert result.mode == "improvement"
    assert "the shop's own ranking" in result.verdict


@pytest.mark.parametrize("drift", [False, True])
def test_too_few_lists_fail_whatever_they_say(drift: bool) -> None:  # noqa: FBT001
    result = judge(compared(ndcg=delta("ndcg@10", 0.3, lists=499)), SETTINGS, drift=drift)
    assert [rule.name for rule in result.failures] == ["evidence"]
    assert result.failures[0].sentence.startswith("499 test lists have a reaction; at least 500 are needed")


def test_figures_that_are_not_known_fail() -> None:
    nothing = delta("ndcg@10", float("nan"), lists=0)
    result = judge(compared(ndcg=nothing), SETTINGS)
    assert not result.passed
    assert "cannot be compared" in result.failures[-1].sentence
    assert result.verdict == "Rejected: no list says anything of the challenger against the champion."


def test_a_result_is_read_back_as_it_was_written() -> None:
    result = judge(compared(delta("ndcg@10", -0.03, segment="product=cold")), SETTINGS)
    assert GateResult.from_json(result.to_json()) == result
    assert json.loads(result.to_json())["passed"] is False
    unknown = judge(compared(ndcg=delta("ndcg@10", float("nan"), lists=0)), SETTINGS)
    assert GateResult.from_json(unknown.to_json()).to_json() == unknown.to_json()
    assert "NaN" not in unknown.to_json()


def test_every_sentence_names_its_outcome() -> None:
    result = judge(compared(delta("ndcg@10", -0.03, 0.1, segment="category=1/2")), SETTINGS)
    for rule in result.rules:
        assert rule.outcome in rule.sentence


def test_what_stops_a_challenger_is_told_before_what_does_not() -> None:
    result = judge(
        compared(
            delta("ndcg@10", -0.03, 0.01, segment="price=1"),
            delta("ndcg@10", -0.03, lists=9, segment="city=1"),
            delta("ndcg@10", -0.03, 0.1, segment="city=2"),
            delta("ndcg@10", -0.03, 0.01, segment="product=cold"),
            delta("ndcg@10", 0.03, segment="product=warm"),
        ),
        SETTINGS,
    )
    told = [rule.segment for rule in result.telling if rule.segment]
    assert told == ["product=cold", "city=2", "city=1", "price=1"]
