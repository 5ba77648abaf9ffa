"""Incidents: one for a cause, from its first bad day until it is over, whatever is judged again."""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rankloop.mongo import connect
from rankloop.monitoring.act.incidents import NotificationError
from rankloop.monitoring.policy.rule_set import TABLES
from rankloop.monitoring.policy.verdict import NotJudgedError, Verdict, record_verdict
from rankloop.monitoring.report.pages import render_incident
from rankloop.settings import Settings
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.state import actions
from rankloop.state.alerts import (
    Alert,
    NoSuchAlertError,
    acknowledge_alert,
    alert_by_name,
    close_alert_manually,
    list_alerts,
    raise_alert,
)
from tests.monitoring.entries import choose_action, notify_on_call, update_incidents
from tests.monitoring.measured_rows import DAY, Measured, against, before, psi, verdict, wrong_unit
from tests.running import rankloop

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
DRIFTED = [*psi(DAY, product_price=0.6), *psi(before(1), product_price=0.6)]
BUG = "drift:data bug: products"


@pytest.fixture
def watched(mongo: str, tmp_path: Path) -> Settings:
    """A lake and a MongoDB with nothing in them; what is called for is done."""
    return Settings(home=tmp_path, mongo_uri=SecretStr(mongo), monitoring=MonitoringSettings(mode="on"))


def judged(settings: Settings, rows: Sequence[Measured], day: date = DAY, measured: Sequence[str] = TABLES) -> Verdict:
    """Keep the verdict of a day, as `judge` does."""
    with connect(settings.mongo) as client:
        found = verdict(rows, day=day, history=actions.earlier_actions(client, day))
        found = found.model_copy(update={"measured": tuple(measured)})
        record_verdict(client, found)
    return found


def there(settings: Settings, **which: Any) -> dict[str, Alert]:  # noqa: ANN401  (what `alerts` takes)
    """The alerts by name."""
    with connect(settings.mongo) as client:
        return {alert.name: alert for alert in list_alerts(client, **which)}


def days(settings: Settings, *of: date) -> list[str]:
    """What is done about each of these days, judged as drifted."""
    found = []
    for day in of:
        shift = day - DAY
        judged(settings, [(table, one | {"dt": one["dt"] + shift}) for table, one in DRIFTED], day)
        update_incidents(settings, day, now=NOW)
        found.append(choose_action(settings, day, now=NOW))
    return found


def test_a_verdict_comes_back_as_it_was_kept(watched: Settings) -> None:
    found = judged(watched, [*wrong_unit(DAY), *DRIFTED])
    with connect(watched.mongo) as client:
        assert Verdict.model_validate(actions.verdict_of_day(client, DAY)) == found


def test_a_cause_is_one_incident_and_news_once(watched: Settings) -> None:
    judged(watched, wrong_unit(DAY))
    news = update_incidents(watched, DAY, now=NOW)
    assert news.startswith("# The data of products is wrong")
    assert update_incidents(watched, DAY, now=NOW) == ""
    judged(watched, [*wrong_unit(DAY), *wrong_unit(NEXT)], NEXT)
    assert update_incidents(watched, NEXT, now=NOW + timedelta(days=1)) == ""
    [incident] = there(watched).values()
    assert (incident.name, incident.facts["since"], incident.facts["day"]) == (BUG, str(DAY), str(NEXT))


def test_its_page_is_in_the_log_also_when_the_day_is_cleared(
    watched: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rankloop.monitoring.act.incidents")
    judged(watched, wrong_unit(DAY))
    page = update_incidents(watched, DAY, now=NOW)
    assert page in caplog.messages
    caplog.clear()
    update_incidents(watched, DAY, now=NOW)
    assert page in caplog.messages
    judged(watched, [], NEXT)
    caplog.clear()
    update_incidents(watched, DAY, now=NOW)
    assert page in caplog.messages


def told(settings: Settings, *refused: str) -> list[str]:
    """Whom on-call is told of, where these are refused."""
    return notify_on_call(settings, lambda title, _: title.removeprefix("Rankloop: ") not in refused, now=NOW)


def test_on_call_is_told_once_of_every_alert_and_anew_of_one_that_came_back(watched: Settings) -> None:
    judged(watched, wrong_unit(DAY))
    update_incidents(watched, DAY, now=NOW)
    with connect(watched.mongo) as client:
        raise_alert(client, "held_back", "version 7", "It is held back.", NOW)
    assert sorted(told(watched)) == [BUG, "held_back:version 7"]
    update_incidents(watched, DAY, now=NOW + timedelta(hours=1))
    assert told(watched) == []
    with connect(watched.mongo) as client:
        close_alert_manually(client, BUG, "oncall", "mended", NOW)
    update_incidents(watched, DAY, now=NOW + timedelta(hours=2))
    assert told(watched) == [BUG]


def test_what_is_refused_keeps_nothing_else_from_being_told(watched: Settings) -> None:
    with connect(watched.mongo) as client:
        for version in ("version 7", "version 8"):
            raise_alert(client, "held_back", version, "It is held back.", NOW)
    with pytest.raises(NotificationError, match=r"1 of 2 alerts by .*: 'held_back:version 7'"):
        told(watched, "held_back:version 7")
    assert told(watched) == ["held_back:version 7"]


def test_on_call_is_told_again_once_more_is_called_for_than_before(watched: Settings) -> None:
    found = judged(watched, DRIFTED)
    for state, news in (("alert", True), ("retrain", True), ("retrain", False), ("alert", False)):
        with connect(watched.mongo) as client:
            record_verdict(client, found.model_copy(update={"state": state}))
        assert bool(update_incidents(watched, DAY, now=NOW)) == news
        assert bool(told(watched)) == news


def test_it_closes_when_it_is_over_and_not_when_nothing_was_measured(watched: Settings) -> None:
    judged(watched, wrong_unit(DAY))
    update_incidents(watched, DAY, now=NOW)
    judged(watched, [], NEXT, measured=["monitoring/drift"])
    update_incidents(watched, NEXT, now=NOW)
    assert set(there(watched)) == {BUG}
    judged(watched, [], NEXT)
    update_incidents(watched, NEXT, now=NOW)
    assert there(watched) == {}
    assert there(watched, closed=True)[BUG].state == "closed"


def test_an_earlier_day_judged_again_changes_no_incident_and_does_nothing(watched: Settings) -> None:
    judged(watched, [], NEXT)
    judged(watched, DRIFTED)
    assert (update_incidents(watched, DAY, now=NOW), choose_action(watched, DAY, now=NOW)) == ("", "nothing")
    assert there(watched) == {}


def test_what_is_only_watched_wakes_nobody(watched: Settings) -> None:
    assert judged(watched, DRIFTED[:3]).state == "watch"
    assert update_incidents(watched, DAY, now=NOW) == ""


def test_two_bad_days_train_once_and_cleared_it_is_the_same_once(watched: Settings) -> None:
    assert days(watched, DAY) == ["retrain"]
    assert days(watched, DAY, NEXT) == ["retrain", "nothing"]
    assert days(watched, DAY, NEXT) == ["nothing", "nothing"]
    with connect(watched.mongo) as client:
        assert [(done.kind, done.day) for done in actions.earlier_actions(client, date.max)] == [("retrain", DAY)]
    [incident] = there(watched).values()
    assert incident.done == (f"{DAY}: a training on the newest days was begun by itself",)


def test_a_day_that_turns_out_worse_takes_rankings_off_though_a_training_was_begun(watched: Settings) -> None:
    assert days(watched, DAY) == ["retrain"]
    worse = [against(before(age), -0.08, -0.02) for age in (2, 1)]
    assert judged(watched, [*DRIFTED, *worse]).state == "fall back"
    assert [choose_action(watched, DAY, now=NOW) for _ in range(2)] == ["fall back", "fall back"]
    with connect(watched.mongo) as client:
        assert {action.kind for action in actions.actions_of_day(client, DAY)} == {"retrain", "fall back"}


def test_in_a_dry_run_nothing_is_begun_and_the_incident_says_so(watched: Settings) -> None:
    careful = watched.model_copy(update={"monitoring": MonitoringSettings(mode="dry_run")})
    assert days(careful, DAY) == ["nothing"]
    [incident] = there(careful).values()
    assert "was called for, and not begun: monitoring.mode is dry_run" in incident.done[0]
    # Nothing was done, so nothing cools down.
    assert days(watched, NEXT) == ["retrain"]


def test_switched_off_there_are_only_alerts(watched: Settings) -> None:
    off = watched.model_copy(update={"monitoring": MonitoringSettings(mode="off")})
    assert days(off, DAY) == ["nothing"]
    [incident] = there(off).values()
    assert (incident.state, incident.done) == ("open", ())
    with connect(off.mongo) as client:
        assert not actions.earlier_actions(client, date.max)


def test_paused_nothing_is_begun_until_it_is_resumed(watched: Settings) -> None:
    with connect(watched.mongo) as client:
        assert not actions.resume_actions(client)
        actions.pause_actions(client, "oncall", "a sale is on", NOW)
    assert days(watched, DAY) == ["nothing"]
    assert "oncall switched it off" in next(iter(there(watched).values())).done[0]
    with connect(watched.mongo) as client:
        assert actions.resume_actions(client)
    assert days(watched, NEXT) == ["retrain"]


def test_who_acknowledged_stays_noted_until_it_is_over(watched: Settings) -> None:
    judged(watched, wrong_unit(DAY))
    update_incidents(watched, DAY, now=NOW)
    with connect(watched.mongo) as client:
        acknowledge_alert(client, BUG, "oncall", "asked the catalogue team", NOW)
    update_incidents(watched, DAY, now=NOW + timedelta(hours=1))
    with connect(watched.mongo) as client:
        page = render_incident(alert_by_name(client, BUG))
        assert "oncall knows of it since 2026-11-21 03:00 UTC: asked the catalogue team" in page
        assert close_alert_manually(client, BUG, "oncall", "mended", NOW).state == "closed"
        with pytest.raises(NoSuchAlertError, match="is closed since"):
            acknowledge_alert(client, BUG, "oncall", "", NOW)
        with pytest.raises(NoSuchAlertError, match="there is no alert 'drift:none'; open are none"):
            close_alert_manually(client, "drift:none", "oncall", "", NOW)
    assert update_incidents(watched, DAY, now=NOW).startswith("# The data of products is wrong")
    assert there(watched)[BUG].acknowledged is None


def test_a_day_without_a_verdict_is_named(watched: Settings) -> None:
    with pytest.raises(NotJudgedError, match=f"{DAY} is not judged"):
        update_incidents(watched, DAY, now=NOW)


def test_on_call_reads_acknowledges_and_closes_at_the_command_line(watched: Settings) -> None:
    judged(watched, wrong_unit(DAY))
    update_incidents(watched, DAY, now=NOW)
    environment = {"RANKLOOP_MONGO_URI": watched.mongo, "COLUMNS": "200"}

    def said(*arguments: str) -> str:
        answer = rankloop(*arguments, environment=environment)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    assert BUG in said("alerts", "list")
    assert "1,000 times less" in said("alerts", "show", BUG)
    assert "is yours" in said("alerts", "ack", BUG, "--note", "asked the catalogue team")
    assert "is closed" in said("alerts", "close", BUG)
    assert "Nothing is open" in said("alerts", "list")
    assert f"{DAY}  alert      data bug: The data of products is wrong" in said("monitoring", "show")
    assert "Nothing is done by itself" in said("monitoring", "pause", "--reason", "a sale is on")
    assert "paused by" in said("monitoring", "show")
    assert "Resumed; monitoring.mode is dry_run." in said("monitoring", "resume")
