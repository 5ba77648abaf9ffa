"""Who is champion now: what the ledger decided and what MLflow says, brought together.

Whoever reads the champion goes through here. What a kill left half done is finished; an alias that somebody moved in
MLflow is taken for what it is, a change of champion without a decision: it is recorded, and on-call is told.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rankloop.champions.history import before_champion, champion_of, last_change
from rankloop.mongo import Client, connect
from rankloop.registry import aliases, versions
from rankloop.registry.aliases import Aliases
from rankloop.registry.connection import Registry
from rankloop.registry.versions import Version
from rankloop.settings import Settings
from rankloop.state import ledger
from rankloop.state.alerts import raise_alert
from rankloop.state.ledger import LedgerConflictError, LedgerDraft, LedgerEntry

ROUNDS = 5
"""How often somebody else may decide while we look, before we say so."""


@contextmanager
def opened(settings: Settings) -> Iterator[Client]:
    """A connection to the ledger's MongoDB, for as long as the context lasts."""
    client = connect(settings.mongo)
    try:
        yield client
    finally:
        client.close()


def standing_champion(settings: Settings) -> Version | None:
    """The version that ranks now, or None before the first was promoted."""
    with opened(settings) as client:
        number = champion_of(settle(settings, client))
    return None if number is None else versions.version(Registry(settings.mlflow), number)


def settle(settings: Settings, client: Client) -> list[LedgerEntry]:
    """Have MLflow follow the ledger, or the ledger note what was done past it; the ledger, which then holds."""
    for _ in range(ROUNDS):
        entries = ledger.read_ledger(client)
        last, now = last_change(entries), aliases.read(Registry(settings.mlflow))
        followed = now.mark == (last.mark if last else "")
        if followed and now.champion == champion_of(entries):
            return entries
        if last and not followed and now.champion in {last.before, last.after}:
            follow(settings, entries)
            return entries
        _note_move(client, entries, now)
    raise LedgerConflictError(
        "the champion changes faster than it can be read; see who moves it, and run the same again."
    )


def follow(settings: Settings, entries: list[LedgerEntry]) -> None:
    """Have MLflow's aliases say what the ledger says."""
    if last := last_change(entries):
        aliases.follow(Registry(settings.mlflow), champion_of(entries), before_champion(entries), last.mark)


def _note_move(client: Client, entries: list[LedgerEntry], now: Aliases) -> None:
    before, at = champion_of(entries), datetime.now(UTC)
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
        ledger.append_entry(client, draft, last, at)
    except LedgerConflictError:
        return  # whoever was faster may have noted it
    message = (
        f"@{versions.CHAMPION} of {versions.MODEL} was {named(before)} and is {named(now.champion)}, and no decision "
        "says so: it was moved in MLflow. It ranks from now on. If that was not meant: `rankloop model rollback "
        "--reason …`, and see who may write to MLflow. docs/runbook.md#champion_moved"
    )
    raise_alert(client, "champion_moved", named(now.champion), message, at)


def named(number: int | None) -> str:
    """A champion, in words."""
    return "the shop's own ranking" if number is None else f"version {number}"
