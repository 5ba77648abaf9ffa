"""Back to a former champion, at once and by whoever is on duty.

What was champion once was approved once, so nobody is asked; the ML lead is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rankloop.champions.current import apply_ledger_to_aliases, reconcile_aliases, version_label
from rankloop.champions.history import all_champions, champion_number, previous_champion
from rankloop.errors import RankloopError
from rankloop.mongo import connect
from rankloop.promotion.deciding import SHORTEST_REASON
from rankloop.promotion.intact import insist_intact
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.state import ledger
from rankloop.state.alerts import raise_alert
from rankloop.state.ledger import LedgerDraft, LedgerEntry


class RollbackRefusedError(RankloopError):
    """A rollback that cannot be."""


@dataclass(frozen=True)
class Wish:
    """A rollback that somebody wants."""

    who: str
    reason: str
    key: str
    """Names it for good: run again under the same key, it is the same rollback."""
    version: int | None = None
    """By default the champion before the one there is."""


@dataclass(frozen=True)
class RolledBack:
    """What came of it, or would."""

    before: int | None
    after: int
    dry_run: bool

    @property
    def sentence(self) -> str:
        """In words."""
        if self.dry_run:
            changed = f"{version_label(self.after)} would be champion in place of {version_label(self.before)}"
            return f"{changed}. Nothing was changed."
        return f"{version_label(self.after).capitalize()} is champion again, in place of {version_label(self.before)}."


def roll_back(settings: Settings, wish: Wish, now: datetime, *, dry_run: bool = False) -> RolledBack:
    """Make a former champion the champion again; a dry run says which, having checked all that the real one does."""
    if len(wish.reason.strip()) < SHORTEST_REASON:
        raise RollbackRefusedError("a rollback needs a reason: the ledger keeps it for whoever asks later. Say why.")
    with connect(settings.mongo) as client:
        entries = ledger.read_ledger(client) if dry_run else reconcile_aliases(client, Registry(settings.mlflow))
        done = next((entry for entry in entries if entry.key == wish.key), None)
        before = done.before if done else champion_number(entries)
        after = done.after if done else _target(entries, wish.version)
        assert after is not None  # noqa: S101  (a rollback's entry always has one)
        insist_intact(settings, after)
        if not dry_run and not done:
            ledger.append_entry(client, _draft(wish, before, after), entries[-1] if entries else None, now)
        result = RolledBack(before, after, dry_run)
        if not dry_run:
            apply_ledger_to_aliases(Registry(settings.mlflow), ledger.read_ledger(client))
            message = f"{result.sentence} {wish.who}: {wish.reason}"
            raise_alert(client, "rolled_back", f"version {before}", message, now)
    return result


def _draft(wish: Wish, before: int | None, after: int) -> LedgerDraft:
    return LedgerDraft("rolled back", wish.key, after, before, after, wish.who, wish.reason.strip())


def _target(entries: Sequence[LedgerEntry], wanted: int | None) -> int:
    champion, former = champion_number(entries), sorted(all_champions(entries))
    if wanted is None:
        if (before := previous_champion(entries)) is None:
            raise RollbackRefusedError(
                f"there is no champion before {version_label(champion)} to go back to. `rankloop ledger show` has "
                "all that was decided."
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
