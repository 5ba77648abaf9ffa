"""Market days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from rankloop.calendar import days_between, parse_day, start_of, yesterday

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def test_a_market_day_begins_at_midnight_in_the_market() -> None:
    assert start_of(date(2026, 11, 3), HANOI) == datetime(2026, 11, 2, 17, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_yesterday_is_over_and_the_day_after_it_is_not(now: datetime) -> None:
    day = yesterday(now, HANOI)
    assert start_of(day + timedelta(days=1), HANOI) <= now < start_of(day + timedelta(days=2), HANOI)


@pytest.mark.parametrize("key", ["2026-11-31", "20261103", "yesterday", "2026-11-03T00:00:00", ""])
def test_what_is_no_market_day_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no market day; write it as"):
        parse_day(key)


def test_days_between_are_both_included() -> None:
    assert list(days_between(date(2026, 2, 27), date(2026, 3, 1))) == [
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    ]
