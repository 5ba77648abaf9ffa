"""The line of champions, as the ledger has it."""

from collections.abc import Iterable, Sequence

from rankloop.state.ledger import Decision, LedgerEntry

CHANGES: frozenset[Decision] = frozenset({"promoted", "rolled back", "moved"})
"""What makes another version the champion; all else leaves who is."""


def last_change(entries: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """The newest entry that changed the champion."""
    return next((entry for entry in reversed(entries) if entry.decision in CHANGES), None)


def line(entries: Iterable[LedgerEntry]) -> tuple[int | None, ...]:
    """The champion, last, after those that a rollback would go to, the nearest last.

    Going back to one takes those after it off the line: rolled back twice, one does not come out where one was.
    None is a time without a champion.
    """
    found: list[int | None] = []
    for entry in entries:
        if entry.decision not in CHANGES:
            continue
        if entry.after in found and entry.after is not None:
            del found[found.index(entry.after) :]
        found.append(entry.after)
    return tuple(found)


def champion_of(entries: Iterable[LedgerEntry]) -> int | None:
    """The champion."""
    return (None, *line(entries))[-1]


def before_champion(entries: Iterable[LedgerEntry]) -> int | None:
    """The champion before the one there is, which a rollback goes to."""
    return next((number for number in reversed(line(entries)[:-1]) if number is not None), None)


def ever_champion(entries: Iterable[LedgerEntry]) -> frozenset[int]:
    """All that ever were champion."""
    return frozenset(entry.after for entry in entries if entry.decision in CHANGES and entry.after is not None)
