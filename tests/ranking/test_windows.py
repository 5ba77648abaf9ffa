"""Which days a run takes, and when there are enough of them."""

from datetime import date, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from rankloop.calendar import days_between
from rankloop.errors import TransientError
from rankloop.lake.tables import Lake
from rankloop.ranking.windows import (
    TooLittleHistoryError,
    first_trainable,
    plan_windows,
    require_days,
    since_change,
    week_of,
)
from rankloop.settings import Settings
from rankloop.settings.training import TrainingSettings
from tests.features.market import FIRST_DAY, account, build, day_of, product, settings_for, shown_list

DAY = date(2026, 11, 28)
LENGTHS = st.fixed_dictionaries(
    {name: st.integers(1, 6) for name in ("train_days", "valid_days", "test_blocks", "test_block_days")}
)


def test_the_windows_of_the_reference_are_ten_days_then_two_then_four_blocks_of_two() -> None:
    windows = plan_windows(TrainingSettings(), DAY)
    assert {name: len(days) for name, days in windows.sets.items()} == {
        "train": 10,
        "valid": 2,
        "test_0": 2,
        "test_1": 2,
        "test_2": 2,
        "test_3": 2,
    }
    assert (windows.days[0], windows.days[-1]) == (DAY - timedelta(days=20), DAY - timedelta(days=1))


@given(LENGTHS, st.integers(1, 72))
def test_sets_follow_one_another_and_end_where_reactions_are_all_in(lengths: dict[str, int], hours: int) -> None:
    windows = plan_windows(TrainingSettings(**lengths, label_hours=hours), DAY)
    assert windows.days == tuple(days_between(windows.days[0], windows.days[-1]))
    assert windows.days[-1] + timedelta(days=-(-hours // 24)) == DAY


@given(LENGTHS)
def test_the_first_trainable_day_is_the_first_whose_lists_all_have_features_before_them(
    lengths: dict[str, int],
) -> None:
    training = TrainingSettings(**lengths)
    first = first_trainable(training, DAY)
    assert plan_windows(training, first).days[0] == DAY + timedelta(days=1)


@given(LENGTHS, st.integers(1, 72), st.integers(0, 40))
def test_after_a_change_no_list_from_before_it_is_used_once_each_set_can_have_a_day(
    lengths: dict[str, int], hours: int, ago: int
) -> None:
    training, since = TrainingSettings(**lengths, label_hours=hours), DAY - timedelta(days=ago)
    windows = plan_windows(since_change(training, DAY, since), DAY)
    usual = plan_windows(training, DAY)
    if windows != usual:
        assert usual.days[0] < since <= windows.days[0]
        assert [len(days) for days in windows.sets.values()][1:] == [1, 1]
        assert len(windows.train) == min(len(list(days_between(since, usual.days[-1]))) - 2, training.train_days)
    elif usual.days[0] < since:
        assert (usual.days[-1] - since).days < 2


def test_too_little_history_says_which_week_will_be_the_first(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    shown = shown_list(FIRST_DAY, "q", 1, [1])
    build(settings, {FIRST_DAY: day_of(FIRST_DAY, shown=shown, products=[product(1)], buyers=[account(1)])})
    with pytest.raises(TooLittleHistoryError, match=r"first trainable day is 2026-10-22, in week 2026-W43") as refused:
        require_days(
            Lake(settings.lake_root), settings.training, plan_windows(settings.training, FIRST_DAY + timedelta(days=5))
        )
    assert (refused.value.first_as_of, refused.value.first_week) == (date(2026, 10, 22), "2026-W43")


def test_a_day_that_is_missing_within_the_windows_is_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    shown = shown_list(FIRST_DAY, "q", 1, [1])
    build(settings, {FIRST_DAY: day_of(FIRST_DAY, shown=shown, products=[product(1)], buyers=[account(1)])})
    with pytest.raises(TransientError, match=r"features/product lacks 2026-10-02, 2026-10-03"):
        require_days(
            Lake(settings.lake_root), settings.training, plan_windows(settings.training, FIRST_DAY + timedelta(days=21))
        )


def test_a_lake_without_features_is_told_what_to_run(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(TransientError, match="no features at all"):
        require_days(Lake(settings.lake_root), settings.training, plan_windows(settings.training, DAY))


def test_the_last_days_of_a_year_may_be_in_the_first_week_of_the_next() -> None:
    assert week_of(date(2024, 12, 30)) == "2025-W01"
