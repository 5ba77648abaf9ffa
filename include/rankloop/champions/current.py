"""The current champion, and how MLflow's aliases are reconciled with the ledger that decides it.

Everything that needs the champion asks here. An update of the aliases that was interrupted is finished. An alias that
somebody moved in MLflow is a change of champion without a decision: it is recorded in the ledger, and on-call is
alerted.
"""

from datetime import UTC, datetime

from rankloop.champions.history import champion_number, last_champion_change, previous_champion
from rankloop.mongo import Client
from rankloop.registry import aliases, versions
from rankloop.registry.aliases import Aliases
from rankloop.registry.connection import Registry
from rankloop.registry.versions import Version
from rankloop.state import ledger
from rankloop.state.alerts import raise_alert
from rankloop.state.ledger import LedgerConflictError, LedgerDraft, LedgerEntry

MAX_ATTEMPTS = 5
"""How often a concurrent decision makes us start again before we give up."""


def current_champion(state: Client, registry: Registry) -> Version | None:
    """Return the version that ranks now, or None before the first promotion."""
    number = champion_number(reconcile_aliases(state, registry))
    return None if number is None else versions.version(registry, number)


def reconcile_aliases(state: Client, registry: Registry) -> list[LedgerEntry]:
    """Reconcile MLflow's aliases with the ledger, and return the ledger's entries, which hold from then on.

    Where the aliases lag behind the ledger they are updated; where somebody moved them, the ledger records it.
    """
    for _ in range(MAX_ATTEMPTS):
        entries = ledger.read_ledger(state)
        last, now = last_champion_change(entries), aliases.read(registry)
        applied = now.mark == (last.mark if last else "")
        if applied and now.champion == champion_number(entries):
            return entries
        if last and not applied and now.champion in {last.before, last.after}:
            apply_ledger_to_aliases(registry, entries)
            return entries
        _record_move(state, entries, now)
    raise LedgerConflictError(
        "the champion changes faster than it can be read; see who moves it, and run the same again."
    )


def apply_ledger_to_aliases(registry: Registry, entries: list[LedgerEntry]) -> None:
    """Set MLflow's aliases to what the ledger says."""
    if last := last_champion_change(entries):
        aliases.follow(registry, champion_number(entries), previous_champion(entries), last.mark)


def _record_move(state: Client, entries: list[LedgerEntry], now: Aliases) -> None:
    before, at = champion_number(entries), datetime.now(UTC)
    last = entries[-1] if entries else None
    draft = LedgerDraft(
        decision="moved",
        key=f"moved after {last.number if last else 0}",
        version=now.champion,
        before=before,
        after=now.champion,
        who="somebody, in MLflow",
        reason="the alias was moved past Rankloop: nobody approved it here",
    )
    try:
        ledger.append_entry(state, draft, last, at)
    except LedgerConflictError:
        return  # another process may have recorded the same move
    message = (
        f"@{versions.CHAMPION} of {versions.MODEL} was {version_label(before)} and is {version_label(now.champion)}, "
        "and no decision says so: it was moved in MLflow. It ranks from now on. If that was not meant: `rankloop model "
        "rollback --reason …`, and see who may write to MLflow. docs/runbook.md#champion_moved"
    )
    raise_alert(state, "champion_moved", version_label(now.champion), message, at)


def version_label(number: int | None) -> str:
    """Return how messages call a version, or the shop's own ranking where there is none."""
    return "the shop's own ranking" if number is None else f"version {number}"
