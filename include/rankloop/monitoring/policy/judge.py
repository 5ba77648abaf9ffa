"""Decides the verdict of a market day: whether something is wrong, why, and what should be done about it."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from rankloop.calendar import days_between
from rankloop.champions.current import current_champion
from rankloop.context import Context
from rankloop.errors import RankloopError, TransientError
from rankloop.features.catalogue import load_catalogue
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.tables import DAYS_LATER
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, DATA_BUG
from rankloop.monitoring.policy.finding import Rows
from rankloop.monitoring.policy.findings import find_findings, relevant_rows
from rankloop.monitoring.policy.root_cause import RootCause, root_causes
from rankloop.monitoring.policy.rule_set import Policy, open_policy
from rankloop.monitoring.policy.verdict import State, Verdict, record_verdict
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.registry.versions import Version
from rankloop.state import actions
from rankloop.state.actions import FALL_BACK, RELEASE, RETRAIN, Action
from rankloop.training.record import IMPORTANCE

log = logging.getLogger(__name__)


def judge_market_day(context: Context, day: date) -> Verdict:
    """Judge a day by what was measured up to it, record the verdict and return it."""
    lake, policy = context.lake, open_policy(context.settings.monitoring)
    load_catalogue(context.settings.features)  # so that rules know what the features of further families are
    champion = current_champion(context.state, context.registry)
    number = champion.number if champion else None
    rows = relevant_rows(rows_until(lake, day, policy), number)
    importance = feature_importance(context.registry, champion)
    history = actions.earlier_actions(context.state, day)
    verdict = decide_verdict(rows, policy, importance, history, day=day, version=number)
    verdict = verdict.model_copy(update={"measured": _measured(lake, policy, day)})
    record_verdict(context.state, verdict)
    log.info("%s: %s. %s", day, verdict.state, verdict.reason)
    return verdict


def decide_verdict(  # noqa: PLR0913  (all that a verdict follows from, and nothing else)
    rows: Rows,
    policy: Policy,
    importance: Mapping[str, float],
    history: Sequence[Action],
    *,
    day: date,
    version: int | None,
) -> Verdict:
    """Return the verdict of a day: a function of the rows that count, the policy and what was done before this day."""
    causes = root_causes(find_findings(rows, policy, importance, day), rows, policy, importance)
    wanted = {finding.severity for cause in causes for finding in cause.findings if finding.persistent}
    held: list[str] = []
    if FALL_BACK in wanted and (why := _fallen_back(history, version)):
        held.append(why)
        wanted = wanted - {FALL_BACK} | {"alert"}
    if RETRAIN in wanted and (why := _not_now(causes, policy, history, day)):
        held.append(why)
        wanted = wanted - {RETRAIN} | {"alert"}
    state: State = next(
        (severity for severity in (FALL_BACK, RETRAIN, "alert") if severity in wanted), "watch" if causes else "ok"
    )
    return Verdict(
        day=day, version=version, state=state, reason=_reason(causes, state), causes=causes, held_back=tuple(held)
    )


def _fallen_back(history: Sequence[Action], version: int | None) -> str:
    """Why there is no falling back, or nothing."""
    mine = [action for action in history if action.kind in {FALL_BACK, RELEASE} and action.version == version]
    return f"Version {version} is held back since {mine[-1].day}." if mine and mine[-1].kind == FALL_BACK else ""


def _not_now(causes: Sequence[RootCause], policy: Policy, history: Sequence[Action], day: date) -> str:
    """Why there is no retraining now, or nothing."""
    if wrong := [cause.title for cause in causes if cause.kind == DATA_BUG]:
        return f"Nothing is trained on wrong data: {'; '.join(wrong)}."
    last = max((action.day for action in history if action.kind == RETRAIN), default=None)
    if last and (day - last).days <= policy.settings.cool_down_days:
        until = last + timedelta(days=policy.settings.cool_down_days)
        return f"A training was begun as of {last}; another is begun after {until} at the earliest."
    return _too_little_to_learn(causes, policy, day)


def _too_little_to_learn(causes: Sequence[RootCause], policy: Policy, day: date) -> str:
    """Why a training would only learn what buyers liked before, or nothing.

    Where only the inputs moved, lists from before still teach what buyers like.
    """
    moved = [cause.since for cause in causes if cause.kind == CONCEPT_DRIFT]
    # A day of lists can be learned from once the day after it is over.
    days = policy.settings.learn_days
    if moved and (day - (since := min(moved))).days < days:
        first = since + timedelta(days=days)
        return f"Tastes moved on {since}: as of {first} there are {days} days of lists to learn them from."
    return ""


def _reason(causes: Sequence[RootCause], state: State) -> str:
    if not causes:
        return "nothing is wrong with what was measured"
    first = causes[0]
    worst = [finding for finding in first.findings if finding.severity == state and finding.persistent]
    rules = dict.fromkeys(finding.rule for finding in worst or first.findings)
    return f"{first.kind}: {first.title} ({', '.join(rules)})"


def rows_until(lake: Lake, day: date, policy: Policy) -> Rows:
    """Return all that was measured of a day, and of the days before it that the policy looks back on."""
    wanted = set(days_between(day - timedelta(days=policy.look_back_days), day))
    measured = {table: sorted(wanted & set(lake.days(table))) for table in policy.tables}
    return {table: lake.read(table, days).to_pylist() for table, days in measured.items() if days}


def _measured(lake: Lake, policy: Policy, day: date) -> tuple[str, ...]:
    return tuple(table for table in policy.tables if day - timedelta(days=DAYS_LATER.get(table, 0)) in lake.days(table))


def feature_importance(registry: Registry, champion: Version | None) -> dict[str, float]:
    """Return the importance of the champion's features as its training recorded it; empty where it is not known."""
    if champion is None:
        return {}
    try:
        importance: dict[str, float] = training_run(registry, champion.run_id).get_json(IMPORTANCE)
    except TransientError:
        raise
    except RankloopError as error:
        log.warning("every feature counts alike: the importance of version %d is not known: %s", champion.number, error)
        return {}
    return importance
