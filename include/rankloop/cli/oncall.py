"""The commands of on-call: `rankloop alerts …` and `rankloop monitoring …`."""

from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from rankloop.calendar import parse_day, yesterday
from rankloop.settings import load_settings

alerts_app = typer.Typer(no_args_is_help=True, help="Alerts and incidents: list, read, acknowledge, close.")
monitoring_app = typer.Typer(no_args_is_help=True, help="Monitoring: verdicts, and what it may do by itself.")

Name = Annotated[str, typer.Argument(help="the alert's name, as `rankloop alerts list` has it")]
Note = Annotated[str, typer.Option(help="what you know, for the next one on duty")]
Reason = Annotated[str, typer.Option(help="why, for the next one on duty")]
Number = Annotated[int, typer.Argument(help="the version's number")]


@alerts_app.command("list")
def alerts_list(
    *, closed: Annotated[bool, typer.Option("--all", help="those that are closed as well")] = False
) -> None:
    """Say what is open, the newest first."""
    from rankloop.mongo import connect
    from rankloop.state.alerts import list_alerts

    with connect(load_settings().mongo) as client:
        found = list_alerts(client, closed=closed)
    table = Table("name", "state", "since", "last seen", "known to", box=None, pad_edge=False)
    for alert in found:
        since = str(alert.facts.get("since") or f"{alert.first_seen:%F %H:%M}")
        table.add_row(
            alert.name, alert.state, since, f"{alert.last_seen:%F %H:%M}", (alert.acknowledged or {}).get("who")
        )
    Console().print(table if found else "Nothing is open.")


@alerts_app.command("show")
def alerts_show(name: Name) -> None:
    """Tell all that is known of one: what is wrong, why, what was done and what to do."""
    from rankloop.mongo import connect
    from rankloop.monitoring.report.pages import incident_page
    from rankloop.state.alerts import alert_by_name

    with connect(load_settings().mongo) as client:
        page = incident_page(alert_by_name(client, name))
    Console().print(Markdown(page))


@alerts_app.command("ack")
def alerts_ack(name: Name, note: Note = "") -> None:
    """Say that you know of it and look after it; it stays open."""
    from rankloop.mongo import connect
    from rankloop.state.alerts import acknowledge_alert

    with connect(load_settings().mongo) as client:
        acknowledge_alert(client, name, getuser(), note, datetime.now(UTC))
    _say(f"{name} is yours, {getuser()}.")


@alerts_app.command("close")
def alerts_close(name: Name, note: Note = "") -> None:
    """Close an alert; it opens again if its cause is seen again."""
    from rankloop.mongo import connect
    from rankloop.state.alerts import close_alert_manually

    with connect(load_settings().mongo) as client:
        close_alert_manually(client, name, getuser(), note, datetime.now(UTC))
    _say(f"{name} is closed.")


@monitoring_app.command("show")
def monitoring_show(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the last verdicts in short")] = "",
) -> None:
    """Say how the last days were judged, or all about one; and whether anything is done by itself."""
    from rankloop.mongo import connect
    from rankloop.monitoring.policy.rule_set import open_policy
    from rankloop.monitoring.policy.verdict import verdict_of
    from rankloop.monitoring.report.pages import told
    from rankloop.state import actions

    settings, console = load_settings(), Console()
    open_policy(settings.monitoring)  # what is set wrong about a rule is said before its verdicts are read
    with connect(settings.mongo) as client:
        if day:
            verdict = verdict_of(client, parse_day(day))
            _say(f"{verdict.day}: {verdict.state}. {verdict.reason}")
            for cause in verdict.causes:
                console.print(Markdown(told(settings, cause, verdict)))
            return
        for found in actions.recent_verdicts(client, 14):
            _say(f"{found['day']}  {found['state']:<9}  {found['reason']}")
        switched, held = actions.pause_status(client), actions.held_versions(client)
    stopped = f", paused by {switched.who}: {switched.why}" if switched else ""
    _say(f"Acting by itself: {settings.acts}{stopped}")
    for version, why in held.items():
        _say(f"Version {version} is held back: {why}")


@monitoring_app.command("rules")
def monitoring_rules(
    write: Annotated[str, typer.Option(help="docs/monitoring.md: write its table of defaults")] = "",
) -> None:
    """Show every drift rule as it is set: what it says, what it reads, when a day is bad and what that leads to."""
    from rankloop.monitoring.policy.rule_set import open_policy
    from rankloop.monitoring.policy.rules_page import rules_table, write_rules_table

    if write:
        write_rules_table(Path(write))
    else:
        Console().print(Markdown(rules_table(open_policy(load_settings().monitoring))))


@monitoring_app.command("pause")
def monitoring_pause(reason: Reason) -> None:
    """Have nothing done by itself from now on; it is still measured, judged and told."""
    from rankloop.mongo import connect
    from rankloop.state import actions

    with connect(load_settings().mongo) as client:
        actions.pause_actions(client, getuser(), reason, datetime.now(UTC))
    _say("Nothing is done by itself until `rankloop monitoring resume`.")


@monitoring_app.command("resume")
def monitoring_resume() -> None:
    """Have things done by themselves again, as far as monitoring.mode lets them."""
    from rankloop.mongo import connect
    from rankloop.state import actions

    settings = load_settings()
    with connect(settings.mongo) as client:
        was_paused = actions.resume_actions(client)
    _say(f"{'Resumed' if was_paused else 'It was not paused'}; monitoring.mode is {settings.acts}.")


@monitoring_app.command("hold")
def monitoring_hold(version: Number, reason: Reason) -> None:
    """Hold a version back, and publish the newest other rankings at once; it stays champion if it is."""
    from rankloop.mongo import connect
    from rankloop.scoring.publish import show_another
    from rankloop.state import actions

    settings, now = load_settings(), datetime.now(UTC)
    with connect(settings.mongo) as client:
        actions.hold_version(client, version, f"{getuser()}: {reason}", now)
    shown = show_another(settings, now)
    live = f"{shown} is live" if shown else "start batch_scoring for the newest day"
    _say(f"Version {version} is held back: {live}. `rankloop monitoring release {version}` lets it rank again.")


@monitoring_app.command("release")
def monitoring_release(version: Number, reason: Reason) -> None:
    """Let a version rank again that was held back."""
    from rankloop.mongo import connect
    from rankloop.state import actions
    from rankloop.state.alerts import close_alert

    settings, now = load_settings(), datetime.now(UTC)
    with connect(settings.mongo) as client:
        released = actions.release_version(client, version)
        if released:
            day = yesterday(now, settings.zone)
            actions.record_action(client, actions.Action(actions.RELEASE, day, version, f"{getuser()}: {reason}"), now)
        close_alert(client, "held_back", f"version {version}", now)
    _say(f"Version {version} {'ranks from the next batch on' if released else 'was not held back'}.")


def _say(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True, markup=False)
