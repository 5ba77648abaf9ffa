"""The commands of on-call: `rankloop alerts …` and `rankloop monitoring …`."""

from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from rankloop.calendar import parse_day, yesterday

alerts_app = typer.Typer(no_args_is_help=True, help="Alerts and incidents: list, read, acknowledge, close.")
monitoring_app = typer.Typer(
    no_args_is_help=True, help="Monitoring: verdicts, drift rules, and what it may do without asking."
)

Name = Annotated[str, typer.Argument(help="the alert's name, as `rankloop alerts list` has it")]
Note = Annotated[str, typer.Option(help="what you know, for the next on-call")]
Reason = Annotated[str, typer.Option(help="why, for the next on-call")]
Number = Annotated[int, typer.Argument(help="the version's number")]


@alerts_app.command("list")
def alerts_list(*, closed: Annotated[bool, typer.Option("--all", help="closed ones as well")] = False) -> None:
    """List open alerts, the newest first."""
    from rankloop.context import open_context
    from rankloop.state.alerts import list_alerts

    with open_context() as context:
        alerts = list_alerts(context.state, closed=closed)
    table = Table("name", "state", "since", "last seen", "known to", box=None, pad_edge=False)
    for alert in alerts:
        since = str(alert.facts.get("since") or f"{alert.first_seen:%F %H:%M}")
        table.add_row(
            alert.name, alert.state, since, f"{alert.last_seen:%F %H:%M}", (alert.acknowledged or {}).get("who")
        )
    Console().print(table if alerts else "Nothing is open.")


@alerts_app.command("show")
def alerts_show(name: Name) -> None:
    """Show an alert: what is wrong, why, what was done and what to do."""
    from rankloop.context import open_context
    from rankloop.monitoring.report.pages import render_incident
    from rankloop.state.alerts import alert_by_name

    with open_context() as context:
        page = render_incident(alert_by_name(context.state, name))
    Console().print(Markdown(page))


@alerts_app.command("ack")
def alerts_ack(name: Name, note: Note = "") -> None:
    """Acknowledge an alert: others see that you look after it; it stays open."""
    from rankloop.context import open_context
    from rankloop.state.alerts import acknowledge_alert

    with open_context() as context:
        acknowledge_alert(context.state, name, getuser(), note, context.clock())
    _say(f"{name} is yours, {getuser()}.")


@alerts_app.command("close")
def alerts_close(name: Name, note: Note = "") -> None:
    """Close an alert; it opens again if its cause is seen again."""
    from rankloop.context import open_context
    from rankloop.state.alerts import close_alert_manually

    with open_context() as context:
        close_alert_manually(context.state, name, getuser(), note, context.clock())
    _say(f"{name} is closed.")


@monitoring_app.command("show")
def monitoring_show(
    day: Annotated[str, typer.Option(help="the market day, YYYY-MM-DD; by default the last verdicts in short")] = "",
) -> None:
    """Show the verdicts of the last days, or all about one; and what monitoring may do without asking."""
    from rankloop.context import open_context
    from rankloop.monitoring.policy.rule_set import open_policy
    from rankloop.monitoring.policy.verdict import load_verdict
    from rankloop.monitoring.report.pages import render_cause
    from rankloop.state import actions

    with open_context() as context:
        settings, console = context.settings, Console()
        open_policy(settings.monitoring)  # what is set wrong about a rule is said before its verdicts are read
        if day:
            verdict = load_verdict(context.state, parse_day(day))
            _say(f"{verdict.day}: {verdict.state}. {verdict.reason}")
            for cause in verdict.causes:
                console.print(Markdown(render_cause(cause, verdict, settings.airflow, settings.mlflow)))
            return
        for verdict_of_day in actions.recent_verdicts(context.state, 14):
            _say(f"{verdict_of_day['day']}  {verdict_of_day['state']:<9}  {verdict_of_day['reason']}")
        paused, held = actions.pause_status(context.state), actions.held_versions(context.state)
    stopped = f", paused by {paused.who}: {paused.why}" if paused else ""
    _say(f"Acting by itself: {settings.acts}{stopped}")
    for version, why in held.items():
        _say(f"Version {version} is held back: {why}")


@monitoring_app.command("rules")
def monitoring_rules(
    write: Annotated[str, typer.Option(help="docs/monitoring.md: write its table of defaults")] = "",
) -> None:
    """Show every drift rule as it is set: what it says, what it reads, when a day is bad and what that leads to."""
    from rankloop.context import open_context
    from rankloop.monitoring.policy.rule_set import open_policy
    from rankloop.monitoring.policy.rules_page import rules_table, write_rules_table

    if write:
        write_rules_table(Path(write))
        return
    with open_context() as context:
        Console().print(Markdown(rules_table(open_policy(context.settings.monitoring))))


@monitoring_app.command("pause")
def monitoring_pause(reason: Reason) -> None:
    """Stop retrainings and fallbacks; measuring, verdicts and alerts go on."""
    from rankloop.context import open_context
    from rankloop.state import actions

    with open_context() as context:
        actions.pause_actions(context.state, getuser(), reason, context.clock())
    _say("Nothing is done by itself until `rankloop monitoring resume`.")


@monitoring_app.command("resume")
def monitoring_resume() -> None:
    """Allow retrainings and fallbacks again, as far as monitoring.mode does."""
    from rankloop.context import open_context
    from rankloop.state import actions

    with open_context() as context:
        was_paused = actions.resume_actions(context.state)
        mode = context.settings.acts
    _say(f"{'Resumed' if was_paused else 'It was not paused'}; monitoring.mode is {mode}.")


@monitoring_app.command("hold")
def monitoring_hold(version: Number, reason: Reason) -> None:
    """Hold a version back: it no longer ranks, and the newest other rankings are published at once."""
    from rankloop.context import open_context
    from rankloop.scoring.publishing import publish_fallback
    from rankloop.state import actions

    with open_context() as context:
        now = context.clock()
        actions.hold_version(context.state, version, f"{getuser()}: {reason}", now)
        batch = publish_fallback(context.state, now)
    live = f"{batch} is live" if batch else "start batch_scoring for the newest day"
    _say(f"Version {version} is held back: {live}. `rankloop monitoring release {version}` lets it rank again.")


@monitoring_app.command("release")
def monitoring_release(version: Number, reason: Reason) -> None:
    """Let a version rank again that was held back."""
    from rankloop.context import open_context
    from rankloop.state import actions
    from rankloop.state.alerts import close_alert

    with open_context() as context:
        state, now = context.state, context.clock()
        released = actions.release_version(state, version)
        if released:
            day = yesterday(now, context.settings.zone)
            action = actions.Action(actions.RELEASE, day, version, f"{getuser()}: {reason}")
            actions.record_action(state, action, now)
        close_alert(state, "held_back", f"version {version}", now)
    _say(f"Version {version} {'ranks from the next batch on' if released else 'was not held back'}.")


def _say(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True, markup=False)
