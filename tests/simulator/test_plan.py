"""From settings to a marketplace: what cannot be is refused before anything is lived."""

from datetime import date, timedelta

import pytest

from rankloop.errors import RankloopError
from rankloop.settings import Settings
from rankloop.settings.simulator import SimulatorSettings
from rankloop_demo.simulator.plan import days_until, history_until, marketplace_from, strikes_on

FIRST_DAY = date(2026, 10, 1)


def settings(**simulator: object) -> Settings:
    return Settings(simulator=SimulatorSettings(**simulator))  # type: ignore[arg-type]


def test_a_scenario_before_the_first_day_is_refused() -> None:
    with pytest.raises(RankloopError, match=r"new_shop_wave is set to begin on 2026-09-01, before 2026-10-01"):
        marketplace_from(settings(scenarios={"new_shop_wave": date(2026, 9, 1)}), FIRST_DAY)


def test_a_mistyped_year_is_refused_rather_than_lived() -> None:
    with pytest.raises(RankloopError, match=r"2062-10-03 is beyond. Is the year right"):
        history_until(marketplace_from(settings(), FIRST_DAY), date(2062, 10, 3))


def test_a_history_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(RankloopError, match="there is nothing to live"):
        history_until(marketplace_from(settings(), FIRST_DAY), date(2026, 9, 30))


def test_the_first_day_of_the_settings_goes_before_the_one_that_follows_from_the_date() -> None:
    assert marketplace_from(settings(first_day=date(2026, 8, 1)), FIRST_DAY).first_day == date(2026, 8, 1)


@pytest.mark.parametrize(("days_later", "loop"), [(0, 0), (27, 0), (28, 1), (30, 3), (33, 6)])
def test_history_stays_what_it_was_and_every_later_day_closes_the_loop(days_later: int, loop: int) -> None:
    last = FIRST_DAY + timedelta(days=days_later)
    wanted = settings(days=28, loop_days=3)
    history, after = days_until(marketplace_from(wanted, FIRST_DAY), wanted, last)
    assert len(history) == min(28, days_later + 1)
    assert [*history, *after] == [FIRST_DAY + timedelta(days=number) for number in range(days_later + 1)]
    assert len(after) == loop


def test_the_demos_scenario_begins_once_our_rankings_were_shown_for_a_day() -> None:
    wanted = settings(days=20, strike="taste_shift")
    struck = strikes_on(wanted, FIRST_DAY)
    assert struck == FIRST_DAY + timedelta(days=21)
    scenarios = marketplace_from(wanted, FIRST_DAY).scenarios
    assert [scenarios.tastes_move(struck + timedelta(days=later)) for later in (-1, 0, 9)] == [False, True, True]


def test_a_scenario_that_was_asked_for_by_its_day_is_not_moved() -> None:
    asked = settings(days=20, strike="unit_bug", scenarios={"unit_bug": date(2026, 11, 30)})
    assert marketplace_from(asked, FIRST_DAY).scenarios.first_day == {"unit_bug": date(2026, 11, 30)}


def test_nothing_strikes_where_nothing_is_to() -> None:
    assert strikes_on(settings(strike=""), FIRST_DAY) is None
    assert not marketplace_from(settings(strike=""), FIRST_DAY).scenarios.first_day
