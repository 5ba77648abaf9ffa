"""The champion history that follows from the ledger's entries."""

from collections.abc import Iterable, Sequence

from rankloop.state.ledger import Decision, LedgerEntry

CHANGES: frozenset[Decision] = frozenset({"promoted", "rolled back", "moved"})
"""The decisions that change the champion."""


def last_champion_change(entries: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """Return the newest entry that changed the champion."""
    return next((entry for entry in reversed(entries) if entry.decision in CHANGES), None)


def champion_history(entries: Iterable[LedgerEntry]) -> tuple[int | None, ...]:
    """Return the versions that were champion, oldest first, the present champion last; None is a time without one.

    A rollback removes what came after the version that it returned to. So two rollbacks in a row go back two versions,
    and not forth again.
    """
    history: list[int | None] = []
    for entry in entries:
        if entry.decision not in CHANGES:
            continue
        if entry.after in history and entry.after is not None:
            del history[history.index(entry.after) :]
        history.append(entry.after)
    return tuple(history)


def champion_number(entries: Iterable[LedgerEntry]) -> int | None:
    """Return the champion's version number."""
    return (None, *champion_history(entries))[-1]


def previous_champion(entries: Iterable[LedgerEntry]) -> int | None:
    """Return the version that a rollback goes to: the champion before the present one."""
    return next((number for number in reversed(champion_history(entries)[:-1]) if number is not None), None)


def all_champions(entries: Iterable[LedgerEntry]) -> frozenset[int]:
    """Return every version that was ever champion."""
    return frozenset(entry.after for entry in entries if entry.decision in CHANGES and entry.after is not None)
