"""Alerts: told once, with the newest message."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient

from rankloop.monitoring.act.late_day import day_is_late
from rankloop.settings import load_settings
from rankloop.state.alerts import close_alert, mark_notified, raise_alert
from rankloop.state.alerts import list_alerts as open_alerts

pytestmark = pytest.mark.stack

FIRST, AGAIN = datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)


def alerts(uri: str) -> list[dict[str, Any]]:
    with MongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        return list(client["rankloop"]["alerts"].find())


def test_the_same_thing_stays_one_alert_with_the_newest_message(mongo: str) -> None:
    with MongoClient[dict[str, Any]](mongo) as client:
        raise_alert(client, "late_events", "2026-11-03", "12 arrived late", FIRST)
        raise_alert(client, "late_events", "2026-11-03", "15 arrived late", AGAIN)
        raise_alert(client, "late_events", "2026-11-04", "9 arrived late", AGAIN)
    one, other = alerts(mongo)
    assert (one["message"], one["first_seen"], one["last_seen"]) == ("15 arrived late", FIRST, AGAIN)
    assert other["subject"] == "2026-11-04"


def test_an_alert_is_closed_when_it_is_over_and_open_again_when_it_comes_back(mongo: str) -> None:
    with MongoClient[dict[str, Any]](mongo) as client:
        close_alert(client, "late_events", "2026-11-03", FIRST)
        assert alerts(mongo) == []
        raise_alert(client, "late_events", "2026-11-03", "12 arrived late", FIRST)
        close_alert(client, "late_events", "2026-11-03", AGAIN)
        assert [(alert["state"], alert["closed_at"]) for alert in alerts(mongo)] == [("closed", AGAIN)]
        raise_alert(client, "late_events", "2026-11-03", "15 arrived late", AGAIN)
    assert [(alert["state"], alert["message"]) for alert in alerts(mongo)] == [("open", "15 arrived late")]


def test_what_is_raised_again_while_it_is_sent_is_not_noted_as_told(mongo: str) -> None:
    with MongoClient[dict[str, Any]](mongo, tz_aware=True) as client:
        raise_alert(client, "held_back", "version 7", "It is held back.", FIRST)
        [sent] = open_alerts(client)
        raise_alert(client, "held_back", "version 7", "It is held back.", AGAIN, worse=True)
        mark_notified(client, sent, AGAIN)
        [waiting] = open_alerts(client)
        assert waiting.told_at is None
        mark_notified(client, waiting, AGAIN)
        assert [alert.told_at for alert in open_alerts(client)] == [AGAIN]
        raise_alert(client, "held_back", "version 7", "It is held back.", AGAIN, worse=True)
        assert [alert.told_at for alert in open_alerts(client)] == [None]


def test_a_missed_deadline_names_the_day_and_the_runbook(mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKLOOP_MONGO_URI", mongo)
    load_settings.cache_clear()
    day_is_late({"dag_run": {"dag_id": "daily_features", "partition_key": "2026-11-03"}}, hours=4)
    load_settings.cache_clear()
    (alert,) = alerts(mongo)
    assert alert["subject"] == "daily_features 2026-11-03"
    assert "not there 4 h after" in alert["message"]
    assert "docs/runbook.md#daily_features" in alert["message"]
