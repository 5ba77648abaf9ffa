"""Searches: their budget, and going on after a kill as if there had been none."""

from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rankloop.ranking.tuning import MemoryLog, Outcome, Params, Space, Trial, TuningError, best_of, tune

CHOICES: Mapping[str, Any] = {"rate": (0.01, 0.1, 0.3), "depth": (3, 4, 5), "layers": ((8,), (8, 4))}
FIRST = {"rate": 0.1, "depth": 5, "layers": (8,), "other": 1}
SEARCHES = ["grid", "random", "tpe"]


def space(search: Any = "tpe", **given: Any) -> Space:  # noqa: ANN401  (any field)
    return Space(
        **{"choices": CHOICES, "first": FIRST, "search": search, "max_iter": 9, "minutes": 1e9, "seed": 3, **given}
    )


def outcome(params: Params) -> Outcome:
    rate, depth = params["rate"], params["depth"]
    assert isinstance(rate, float)
    assert isinstance(depth, int)
    return Outcome(1 - abs(rate - 0.3) - abs(depth - 4) / 10, 7)


def values(trials: list[Trial]) -> list[tuple[Params, float]]:
    return [(trial.params, trial.figure) for trial in trials]


@pytest.mark.parametrize("search", SEARCHES)
def test_the_same_seed_gives_the_same_trials_beginning_with_the_default(search: str) -> None:
    first, second = (tune(space(search), outcome, MemoryLog()) for _ in range(2))
    assert values(first) == values(second)
    assert first[0].params == {"rate": 0.1, "depth": 5, "layers": (8,)}
    assert [trial.number for trial in first] == list(range(9))


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(SEARCHES), st.integers(0, 8))
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(search: str, after: int) -> None:
    whole = tune(space(search), outcome, MemoryLog())
    log, fitted = MemoryLog(whole[:after]), []

    def counting(params: Params) -> Outcome:
        fitted.append(params)
        return outcome(params)

    assert values(tune(space(search), counting, log)) == values(whole)
    assert len(fitted) <= 9 - after
    assert len(log.finished()) == 9


@pytest.mark.parametrize("search", ["grid", "random"])
def test_no_values_are_tried_twice(search: str) -> None:
    trials = tune(space(search, max_iter=100), outcome, MemoryLog())
    assert len(trials) == len({tuple(trial.params.values()) for trial in trials}) == 18


def test_values_that_the_search_proposes_again_are_not_fitted_again() -> None:
    fitted = []

    def counting(params: Params) -> Outcome:
        fitted.append(tuple(params.values()))
        return outcome(params)

    trials = tune(space("tpe", max_iter=40), counting, MemoryLog())
    assert len(fitted) == len(set(fitted)) < len(trials) == 40
    assert {trial.seconds for trial in trials if trial.repeats is not None} == {0.0}


def test_no_trial_begins_after_the_minutes_are_spent_by_whichever_process() -> None:
    now = iter(range(0, 10_000, 50))  # each trial takes 50 seconds
    log = MemoryLog()
    trials = tune(space("grid", minutes=2), outcome, log, clock=lambda: next(now))
    assert len(trials) == 3
    assert len(tune(space("grid", minutes=2), outcome, log, clock=lambda: next(now))) == 3
    assert len(tune(space("grid", minutes=1e-9), outcome, MemoryLog(), clock=lambda: next(now))) == 1


def test_the_best_trial_is_that_of_the_highest_figure() -> None:
    best = best_of(tune(space("grid", max_iter=100), outcome, MemoryLog()))
    assert best is not None
    assert (best.params["rate"], best.params["depth"]) == (0.3, 4)
    assert best_of([]) is None


def test_without_anything_to_tune_there_are_no_trials() -> None:
    assert tune(space(choices={}), outcome, MemoryLog()) == []
    assert tune(space(max_iter=0), outcome, MemoryLog()) == []


def test_the_log_of_another_search_is_refused() -> None:
    log = MemoryLog(tune(space("grid"), outcome, MemoryLog()))
    with pytest.raises(TuningError, match=r"trial 1 of the log has the values .*Start another training"):
        tune(space("random"), outcome, log)
