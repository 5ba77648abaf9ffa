"""The lists that a batch is scored as: one a buyer, on the home page, on the day after."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from rankloop.calendar import start_of

SURFACE = "home"


def list_time(day: date, zone: ZoneInfo, hour: int) -> datetime:
    """Return when a list scored as of this day is taken to be shown: at this hour of the day after."""
    return start_of(day + timedelta(days=1), zone) + timedelta(hours=hour)


def as_lists(candidates: ir.Table, at: datetime) -> ir.Table:
    """Return candidates as one list of each buyer, shown at this time."""
    shown_at = ibis.literal(at.astimezone(UTC), type="timestamp('UTC')")
    list_id = candidates["account_id"].cast("string")
    return candidates.mutate(request_id=list_id, ts=shown_at, surface=ibis.literal(SURFACE))
