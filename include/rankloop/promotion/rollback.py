"""Rolls back to a former champion, at once and by on-call.

A former champion was approved once, so no approval is requested; the ML lead gets an alert.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rankloop.champions.current import apply_ledger_to_aliases, reconcile_aliases, version_label
from rankloop.champions.history import all_champions, champion_number, previous_champion
from rankloop.context import Context
from rankloop.errors import RankloopError
from rankloop.promotion.decision import SHORTEST_REASON
from rankloop.promotion.verification import verify_model
from rankloop.state import ledger
from rankloop.state.alerts import raise_alert
from rankloop.state.ledger import LedgerDraft, LedgerEntry


class RollbackRefusedError(RankloopError):
    """A rollback that breaks a rule."""


@dataclass(frozen=True)
class RollbackRequest:
    """A rollback, who wants it and why."""

    who: str
    reason: str
    key: str
    """Identifies the rollback: run again under the same key, it is the same rollback."""
    version: int | None = None
    """By default the previous champion."""


@dataclass(frozen=True)
class RollbackResult:
    """The champion before and after a rollback, or a dry run of one."""

    before: int | None
    after: int
    dry_run: bool

    @property
    def sentence(self) -> str:
        """Return the result in words."""
        if self.dry_run:
            changed = f"{version_label(self.after)} would be champion in place of {version_label(self.before)}"
            return f"{changed}. Nothing was changed."
        return f"{version_label(self.after).capitalize()} is champion again, in place of {version_label(self.before)}."


def roll_back(context: Context, request: RollbackRequest, *, dry_run: bool = False) -> RollbackResult:
    """Make a former champion the champion again; a dry run makes the same checks and changes nothing."""
    if len(request.reason.strip()) < SHORTEST_REASON:
        raise RollbackRefusedError("a rollback needs a reason, which the ledger keeps. Say why.")
    state, registry, now = context.state, context.registry, context.clock()
    entries = ledger.read_ledger(state) if dry_run else reconcile_aliases(state, registry)
    done = next((entry for entry in entries if entry.key == request.key), None)
    before = done.before if done else champion_number(entries)
    after = done.after if done else _target(entries, request.version)
    assert after is not None  # noqa: S101  (a rollback's entry always has one)
    verify_model(registry, after)
    result = RollbackResult(before, after, dry_run)
    if dry_run:
        return result
    if not done:
        ledger.append_entry(state, _draft(request, before, after), entries[-1] if entries else None, now)
    apply_ledger_to_aliases(registry, ledger.read_ledger(state))
    message = f"{result.sentence} {request.who}: {request.reason}"
    raise_alert(state, "rolled_back", f"version {before}", message, now)
    return result


def _draft(request: RollbackRequest, before: int | None, after: int) -> LedgerDraft:
    return LedgerDraft("rolled back", request.key, after, before, after, request.who, request.reason.strip())


def _target(entries: Sequence[LedgerEntry], wanted: int | None) -> int:
    champion, former = champion_number(entries), sorted(all_champions(entries))
    if wanted is None:
        if (before := previous_champion(entries)) is None:
            raise RollbackRefusedError(
                f"there is no champion before {version_label(champion)} to go back to. `rankloop ledger show` has "
                "all decisions."
            )
        return before
    if wanted not in former:
        were = ", ".join(str(number) for number in former) or "none"
        raise RollbackRefusedError(
            f"version {wanted} never was champion, and nobody approved it: {were} were. A new version becomes champion "
            "by its approval under Required Actions."
        )
    if wanted == champion:
        raise RollbackRefusedError(f"version {wanted} is the champion already: there is nothing to do.")
    return wanted
