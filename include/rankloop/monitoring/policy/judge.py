"""Whether something is wrong with the champion, or with what it is fed, and what should be done about it."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from rankloop.calendar import days_between
from rankloop.champions.current import current_champion
from rankloop.errors import RankloopError, TransientError
from rankloop.features.build import lake_of
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.monitoring.measure.measures import DAYS_LATER
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, DATA_BUG
from rankloop.monitoring.policy.finding import Rows
from rankloop.monitoring.policy.findings import find_findings, relevant_rows
from rankloop.monitoring.policy.root_cause import RootCause, root_causes
from rankloop.monitoring.policy.rule_set import Policy, open_policy
from rankloop.monitoring.policy.verdict import State, Verdict, keep_verdict
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.registry.versions import Version
from rankloop.settings import Settings
from rankloop.state import actions
from rankloop.state.actions import FALL_BACK, RELEASE, RETRAIN, Action
from rankloop.training.record import IMPORTANCE

log = logging.getLogger(__name__)


def judge(settings: Settings, day: date) -> Verdict:
    """Judge a day from what was measured up to it, and keep the verdict."""
    lake, policy = lake_of(settings), open_policy(settings.monitoring)
    rows = rows_until(lake, day, policy)
    with connect(settings.mongo) as client:
        champion = current_champion(client, Registry(settings.mlflow))
        number = champion.number if champion else None
        history = actions.earlier_actions(client, day)
        verdict = decide(
            relevant_rows(rows, number), policy, importance_of(settings, champion), history, day=day, version=number
        )
        verdict = verdict.model_copy(update={"measured": _measured(lake, policy, day)})
        keep_verdict(client, verdict)
    log.info("%s: %s. %s", day, verdict.state, verdict.reason)
    return verdict


def decide(  # noqa: PLR0913  (all that a verdict follows from, and nothing else)
    rows: Rows,
    policy: Policy,
    importance: Mapping[str, float],
    history: Sequence[Action],
    *,
    day: date,
    version: int | None,
) -> Verdict:
    """The verdict of a day: a function of the rows that count, the policy and what was done before this day."""
    found = root_causes(find_findings(rows, policy, importance, day), rows, policy, importance)
    wanted = {finding.severity for cause in found for finding in cause.findings if finding.persistent}
    held: list[str] = []
    if FALL_BACK in wanted and (why := _fallen_back(history, version)):
        held.append(why)
        wanted = wanted - {FALL_BACK} | {"alert"}
    if RETRAIN in wanted and (why := _not_now(found, policy, history, day)):
        held.append(why)
        wanted = wanted - {RETRAIN} | {"alert"}
    state: State = next((one for one in (FALL_BACK, RETRAIN, "alert") if one in wanted), "watch" if found else "ok")
    return Verdict(
        day=day, version=version, state=state, reason=_reason(found, state), causes=found, held_back=tuple(held)
    )


def _fallen_back(history: Sequence[Action], version: int | None) -> str:
    """Why there is no falling back, or nothing."""
    mine = [action for action in history if action.kind in {FALL_BACK, RELEASE} and action.version == version]
    return f"Version {version} is held back since {mine[-1].day}." if mine and mine[-1].kind == FALL_BACK else ""


def _not_now(found: Sequence[RootCause], policy: Policy, history: Sequence[Action], day: date) -> str:
    """Why there is no retraining now, or nothing."""
    if wrong := [cause.title for cause in found if cause.kind == DATA_BUG]:
        return f"Nothing is trained on wrong data: {'; '.join(wrong)}."
    last = max((action.day for action in history if action.kind == RETRAIN), default=None)
    if last and (day - last).days <= policy.settings.cool_down_days:
        until = last + timedelta(days=policy.settings.cool_down_days)
        return f"A training was begun as of {last}; another is begun after {until} at the earliest."
    return _too_little_to_learn(found, policy, day)


def _too_little_to_learn(found: Sequence[RootCause], policy: Policy, day: date) -> str:
    """Why a training would only learn what buyers liked before, or nothing.

    Where only the inputs moved, lists from before still teach what buyers like.
    """
    moved = [cause.since for cause in found if cause.kind == CONCEPT_DRIFT]
    # A day of lists can be learned from once the day after it is over.
    days = policy.settings.learn_days
    if moved and (day - (since := min(moved))).days < days:
        first = since + timedelta(days=days)
        return f"Tastes moved on {since}: as of {first} there are {days} days of lists to learn them from."
    return ""


def _reason(found: Sequence[RootCause], state: State) -> str:
    if not found:
        return "nothing is wrong with what was measured"
    wrong = found[0]
    worst = [one for one in wrong.findings if one.severity == state and one.persistent] or wrong.findings
    return f"{wrong.kind}: {wrong.title} ({', '.join(dict.fromkeys(one.rule for one in worst))})"


def rows_until(lake: Lake, day: date, policy: Policy) -> Rows:
    """All that was measured of a day, and of those before it that the policy looks back on."""
    wanted = set(days_between(day - timedelta(days=policy.look_back_days), day))
    there = {table: sorted(wanted & set(lake.days(table))) for table in policy.tables}
    return {table: lake.read(table, found).to_pylist() for table, found in there.items() if found}


def _measured(lake: Lake, policy: Policy, day: date) -> tuple[str, ...]:
    return tuple(table for table in policy.tables if day - timedelta(days=DAYS_LATER.get(table, 0)) in lake.days(table))


def importance_of(settings: Settings, champion: Version | None) -> dict[str, float]:
    """What the champion goes by, as its training noted; empty where nobody knows, so that features count alike."""
    if champion is None:
        return {}
    try:
        found: dict[str, float] = training_run(Registry(settings.mlflow), champion.run_id).get_json(IMPORTANCE)
    except TransientError:
        raise
    except RankloopError as error:
        log.warning("every feature counts alike: the importance of version %d is not known: %s", champion.number, error)
        return {}
    return found
