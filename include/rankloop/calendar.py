"""Market days: the one key that runs through everything, written `YYYY-MM-DD`."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from rankloop.errors import RankloopError


class NoMarketDayError(RankloopError, ValueError):
    """Text that is no market day."""


def parse_day(key: str) -> date:
    """Read a market day from its key, `2026-11-03`."""
    try:
        day = date.fromisoformat(key)
    except ValueError:
        raise NoMarketDayError(f"'{key}' is no market day; write it as YYYY-MM-DD") from None
    if day.isoformat() != key:
        raise NoMarketDayError(f"'{key}' is no market day; write it as {day.isoformat()}")
    return day


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a market day, in UTC; the day ends where the next one starts."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of a market day and that of the next one, in UTC."""
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)


def first_of(days: int, last: date) -> date:
    """Return the first of that number of days, of which this is the last."""
    return last - timedelta(days=days - 1)


def days_between(first: date, last: date) -> Iterator[date]:
    """Every market day from the first to the last, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def yesterday(now: datetime, zone: ZoneInfo) -> date:
    """Return the last market day that is over at this instant."""
    return now.astimezone(zone).date() - timedelta(days=1)
