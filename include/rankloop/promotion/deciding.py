"""What comes of an answer: a new champion, or the reason why not.

It fails closed. Whatever is not as it should be stops the promotion, is written into the ledger with the rule that it
broke, and says what to do. The ledger decides, and MLflow follows: cut off anywhere and run again, it comes to the
same.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from rankloop.champions.current import apply_ledger_to_aliases, reconcile_aliases, version_label
from rankloop.champions.history import champion_number
from rankloop.errors import RankloopError, TransientError
from rankloop.mongo import Client, connect
from rankloop.promotion.answer import APPROVE, Answer, Asked
from rankloop.promotion.intact import UnusableModelError, insist_intact
from rankloop.promotion.request import Request, request_of
from rankloop.registry import aliases, versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings, variable
from rankloop.state import ledger
from rankloop.state.alerts import close_alert, raise_alert
from rankloop.state.ledger import Decision, LedgerDraft, LedgerEntry

FINAL: frozenset[Decision] = frozenset({"promoted", "rejected", "timed out"})
"""Decided once and for all: a version is not asked about twice."""
WANTED = "approval_wanted"
"""The alert that somebody has to answer."""
SHORTEST_REASON = 3


class PromotionRefusedError(RankloopError):
    """A promotion that must not be."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def decide(settings: Settings, number: int, answer: Answer, asked: Asked, now: datetime) -> LedgerEntry:
    """Carry out the answer about this version, once; the entry that the ledger has of it."""
    with connect(settings.mongo) as client:
        entries = reconcile_aliases(client, Registry(settings.mlflow))
        try:
            draft = _draft(settings, entries, number, answer, asked)
        except PromotionRefusedError as refusal:
            _record_refusal(client, entries, number, answer, asked, refusal, now)
            raise
        known = decided(entries, number)
        entry = known or ledger.append_entry(client, draft, entries[-1] if entries else None, now)
        _carry_out(settings, client, entry, now)
    return entry


def decided(entries: Sequence[LedgerEntry], number: int) -> LedgerEntry | None:
    """What was decided about a version, if anything was."""
    return next((entry for entry in entries if entry.decision in FINAL and entry.version == number), None)


def _carry_out(settings: Settings, client: Client, entry: LedgerEntry, now: datetime) -> None:
    number = entry.version
    if entry.decision == "promoted":
        apply_ledger_to_aliases(Registry(settings.mlflow), ledger.read_ledger(client))
    elif number is not None:
        aliases.retire(Registry(settings.mlflow), number)
    close_alert(client, WANTED, f"version {number}", now)
    if entry.decision == "timed out":
        message = f"{entry.reason}. The champion stays; the next training asks anew. docs/runbook.md#model_promotion"
        raise_alert(client, "approval_timed_out", f"version {number}", message, now)


def _draft(
    settings: Settings, entries: Sequence[LedgerEntry], number: int, answer: Answer, asked: Asked
) -> LedgerDraft:
    """What is to be written about this answer, if it may be."""
    if standing := decided(entries, number):
        _insist_same(standing, answer)
        return standing
    _insist_answered(settings, number, answer, asked)
    champion = after = champion_number(entries)
    decision: Decision = "timed out" if answer.timed_out else "rejected"
    if answer.choice == APPROVE:
        _insist_fit(settings, number, answer, champion)
        decision, after = "promoted", number
    days = f"{settings.promotion.answer_within_days:g} days"
    return LedgerDraft(
        decision=decision,
        key=f"version {number}",
        version=number,
        before=champion,
        after=after,
        who=answer.who or "nobody",
        reason=answer.reason or f"nobody answered within {days}, which counts as Reject",
        evidence=_evidence(answer, asked),
    )


def _insist_same(standing: LedgerEntry, answer: Answer) -> None:
    """Clearing may carry out again what was decided, but not decide again."""
    if answer.at != standing.evidence["answered_at"] or answer.who != standing.evidence["answered_by"]:
        raise PromotionRefusedError(
            "decided",
            f"version {standing.version} was {standing.decision} on {standing.at} by {standing.who} (entry "
            f"{standing.number} of the ledger), and a decision stands: another answer changes nothing. To have it "
            "judged anew, train again; to bring a former champion back, run model_rollback.",
        )


def _insist_answered(settings: Settings, number: int, answer: Answer, asked: Asked) -> None:
    """Somebody who may has said yes or no and why, or nobody has in time."""
    again = f"Clear `{asked.task}` of this run to ask again"
    if not answer.choice:
        raise PromotionRefusedError(
            "answered",
            f"nobody has answered about version {number}: marking {asked} a success is no answer. {again}.",
        )
    if answer.timed_out:
        if answer.choice == APPROVE:
            raise PromotionRefusedError("answered", f"no person approved version {number}. {again}.")
        return
    allowed = settings.promotion.approvers
    if answer.who not in allowed:
        raise PromotionRefusedError(
            "allowed",
            f"'{answer.who}' answered about version {number}, and only {', '.join(allowed)} may "
            f"({variable('promotion.approvers')}). {again}.",
        )
    if len(answer.reason) < SHORTEST_REASON:
        raise PromotionRefusedError(
            "reason", f"{answer.who} gave no reason, and the ledger keeps none without. {again}, and give one."
        )


def _insist_fit(settings: Settings, number: int, answer: Answer, champion: int | None) -> None:
    """What was approved is what is there, and nothing has changed since it was compared."""
    try:
        request = request_of(settings, number)
    except TransientError:
        raise
    except RankloopError as error:
        raise PromotionRefusedError("evidence", str(error)) from error
    if (answer.subject, answer.body) != (request.subject, request.body):
        raise PromotionRefusedError(
            "shown",
            f"what was approved is not what the evidence says of version {number}: the request was changed on its way, "
            "or the evidence since. Clear `write_request` with what follows, so that it is asked anew.",
        )
    _insist_newest(settings, number, request, champion)
    try:
        insist_intact(settings, number)
    except UnusableModelError as error:
        raise PromotionRefusedError("model", f"{error} Train again.") from error


def _insist_newest(settings: Settings, number: int, request: Request, champion: int | None) -> None:
    if request.compared != champion:
        raise PromotionRefusedError(
            "champion",
            f"version {number} was compared with {version_label(request.compared)}, and by now "
            f"{version_label(champion)} is champion: nobody knows which is better. Start continuous_training again, "
            "which compares with that one.",
        )
    if champion is not None and versions.version(Registry(settings.mlflow), champion).digest != request.compared_digest:
        raise PromotionRefusedError(
            "champion", f"version {champion} is not the model that version {number} was compared with. Train again."
        )
    newest = aliases.read(Registry(settings.mlflow)).challenger
    if newest != number:
        asked_about = f"version {newest} is" if newest else "none is"
        raise PromotionRefusedError(
            "newest",
            f"version {number} is not the challenger any more, {asked_about}. Answer the newest request under Required "
            "Actions; this one needs no answer.",
        )


def _record_refusal(  # noqa: PLR0913, PLR0917  (all that the entry says)
    client: Client,
    entries: Sequence[LedgerEntry],
    number: int,
    answer: Answer,
    asked: Asked,
    refusal: PromotionRefusedError,
    now: datetime,
) -> None:
    key = f"version {number} refused {refusal.rule} {answer.at}"
    if any(entry.key == key for entry in entries):
        return
    champion = champion_number(entries)
    draft = LedgerDraft(
        decision="refused",
        key=key,
        version=number,
        before=champion,
        after=champion,
        who=answer.who or "nobody",
        reason=f"{refusal.rule}: {refusal}",
        evidence=_evidence(answer, asked),
    )
    ledger.append_entry(client, draft, entries[-1] if entries else None, now)


def _evidence(answer: Answer, asked: Asked) -> dict[str, str]:
    shown = sha256(f"{answer.subject}\n{answer.body}".encode()).hexdigest()
    return {
        "request": str(asked),
        "shown": shown,
        "choice": answer.choice,
        "answered_by": answer.who,
        "answered_at": answer.at,
        "said": answer.reason,
    }
