"""Searches: their budget, and going on after a kill as if there had been none."""

from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rankloop.ranking.tuning import (
    MemoryLog,
    Params,
    SearchSpace,
    Trial,
    TrialResult,
    TuningError,
    best_trial,
    run_search,
)

CHOICES: Mapping[str, Any] = {"rate": (0.01, 0.1, 0.3), "depth": (3, 4, 5), "layers": ((8,), (8, 4))}
FIRST = {"rate": 0.1, "depth": 5, "layers": (8,), "other": 1}
SEARCHES = ["grid", "random", "tpe"]


def space(search: Any = "tpe", **given: Any) -> SearchSpace:  # noqa: ANN401  (any field)
    return SearchSpace(
        **{"choices": CHOICES, "first": FIRST, "search": search, "max_iter": 9, "minutes": 1e9, "seed": 3, **given}
    )


def outcome(params: Params) -> TrialResult:
    rate, depth = params["rate"], params["depth"]
    assert isinstance(rate, float)
    assert isinstance(depth, int)
    return TrialResult(1 - abs(rate - 0.3) - abs(depth - 4) / 10, 7)


def values(trials: list[Trial]) -> list[tuple[Params, float]]:
    return [(trial.params, trial.figure) for trial in trials]


@pytest.mark.parametrize("search", SEARCHES)
def test_the_same_seed_gives_the_same_trials_beginning_with_the_default(search: str) -> None:
    first, second = (run_search(space(search), outcome, MemoryLog()) for _ in range(2))
    assert values(first) == values(second)
    assert first[0].params == {"rate": 0.1, "depth": 5, "layers": (8,)}
    assert [trial.number for trial in first] == list(range(9))


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(SEARCHES), st.integers(0, 8))
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(search: str, after: int) -> None:
    whole = run_search(space(search), outcome, MemoryLog())
    log, fitted = MemoryLog(whole[:after]), []

    def counting(params: Params) -> TrialResult:
        fitted.append(params)
        return outcome(params)

    assert values(run_search(space(search), counting, log)) == values(whole)
    assert len(fitted) <= 9 - after
    assert len(log.finished()) == 9


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_ends_when_all_values_are_tried(search: str) -> None:
    trials = run_search(space(search, max_iter=1000), outcome, MemoryLog())
    assert len([trial for trial in trials if trial.repeats is None]) == 18
    assert trials[-1].repeats is None


def test_a_grid_repeats_at_most_the_default() -> None:
    trials = run_search(space("grid", max_iter=1000), outcome, MemoryLog())
    assert {trial.repeats for trial in trials} <= {None, 0}


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_values_that_the_search_proposes_again_are_not_fitted_again(search: str) -> None:
    fitted = []

    def counting(params: Params) -> TrialResult:
        fitted.append(tuple(params.values()))
        return outcome(params)

    trials = run_search(space(search, max_iter=40), counting, MemoryLog())
    assert len(fitted) == len(set(fitted)) < len(trials) <= 40
    assert {trial.seconds for trial in trials if trial.repeats is not None} == {0.0}


def test_no_trial_begins_after_the_minutes_are_spent_by_whichever_process() -> None:
    now = iter(range(0, 10_000, 50))  # each trial takes 50 seconds
    log = MemoryLog()
    trials = run_search(space("grid", minutes=2), outcome, log, clock=lambda: next(now))
    assert len(trials) == 3
    assert len(run_search(space("grid", minutes=2), outcome, log, clock=lambda: next(now))) == 3
    assert len(run_search(space("grid", minutes=1e-9), outcome, MemoryLog(), clock=lambda: next(now))) == 1


def test_the_best_trial_is_that_of_the_highest_figure() -> None:
    best = best_trial(run_search(space("grid", max_iter=100), outcome, MemoryLog()))
    assert best is not None
    assert (best.params["rate"], best.params["depth"]) == (0.3, 4)
    assert best_trial([]) is None


def test_without_anything_to_tune_there_are_no_trials() -> None:
    assert run_search(space(choices={}), outcome, MemoryLog()) == []
    assert run_search(space(max_iter=0), outcome, MemoryLog()) == []


def test_the_log_of_another_search_is_refused() -> None:
    log = MemoryLog(run_search(space("grid"), outcome, MemoryLog()))
    with pytest.raises(TuningError, match=r"trial 1 of the log has the values .*Start another training"):
        run_search(space("random"), outcome, log)
