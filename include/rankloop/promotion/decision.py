"""Applies an approval or rejection: a new champion, or the reason why not.

It fails closed. Whatever is not as it should be stops the promotion, is recorded in the ledger with the rule that it
broke, and says what to do. The ledger decides and MLflow's aliases follow, so it is idempotent: interrupted anywhere
and run again, the result is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from rankloop.champions.current import apply_ledger_to_aliases, reconcile_aliases, version_label
from rankloop.champions.history import champion_number
from rankloop.context import Context
from rankloop.errors import RankloopError, TransientError
from rankloop.mongo import Client
from rankloop.promotion.approval_task import APPROVE, Approval, ApprovalTask
from rankloop.promotion.request import PromotionRequest, build_request
from rankloop.promotion.verification import UnusableModelError, verify_model
from rankloop.registry import aliases, versions
from rankloop.registry.connection import Registry
from rankloop.settings import variable
from rankloop.settings.promotion import PromotionSettings
from rankloop.state import ledger
from rankloop.state.alerts import close_alert, raise_alert
from rankloop.state.ledger import Decision, LedgerDraft, LedgerEntry

FINAL: frozenset[Decision] = frozenset({"promoted", "rejected", "timed out"})
"""Decisions that stand: the approval of a version is not requested twice."""
APPROVAL_WANTED = "approval_wanted"
"""The alert that an approval is wanted."""
SHORTEST_REASON = 3


class PromotionRefusedError(RankloopError):
    """A promotion that breaks a rule."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True)
class _Case:
    """An approval to apply, and what it is checked against."""

    registry: Registry
    promotion: PromotionSettings
    entries: Sequence[LedgerEntry]
    number: int
    approval: Approval
    task: ApprovalTask


def apply_decision(context: Context, number: int, approval: Approval, task: ApprovalTask) -> LedgerEntry:
    """Apply the answer about this version, once, and return its ledger entry."""
    state, registry, now = context.state, context.registry, context.clock()
    entries = reconcile_aliases(state, registry)
    case = _Case(registry, context.settings.promotion, entries, number, approval, task)
    try:
        draft = _draft(case)
    except PromotionRefusedError as refusal:
        _record_refusal(state, case, refusal, now)
        raise
    entry = existing_decision(entries, number)
    if entry is None:
        entry = ledger.append_entry(state, draft, entries[-1] if entries else None, now)
    _carry_out(state, registry, entry, now)
    return entry


def existing_decision(entries: Sequence[LedgerEntry], number: int) -> LedgerEntry | None:
    """Return the decision about a version, if there is one."""
    return next((entry for entry in entries if entry.decision in FINAL and entry.version == number), None)


def _carry_out(state: Client, registry: Registry, entry: LedgerEntry, now: datetime) -> None:
    number = entry.version
    if entry.decision == "promoted":
        apply_ledger_to_aliases(registry, ledger.read_ledger(state))
    elif number is not None:
        aliases.retire(registry, number)
    close_alert(state, APPROVAL_WANTED, f"version {number}", now)
    if entry.decision == "timed out":
        message = f"{entry.reason}. The champion stays; the next training asks again. docs/runbook.md#model_promotion"
        raise_alert(state, "approval_timed_out", f"version {number}", message, now)


def _draft(case: _Case) -> LedgerDraft:
    """Return the entry to write about this answer, if the rules allow it."""
    number, approval = case.number, case.approval
    if earlier := existing_decision(case.entries, number):
        _require_same_answer(earlier, approval)
        return earlier
    _require_answer(case)
    champion = after = champion_number(case.entries)
    decision: Decision = "timed out" if approval.timed_out else "rejected"
    if approval.choice == APPROVE:
        _require_evidence(case, champion)
        decision, after = "promoted", number
    days = f"{case.promotion.answer_within_days:g} days"
    return LedgerDraft(
        decision=decision,
        key=f"version {number}",
        version=number,
        before=champion,
        after=after,
        who=approval.who or "nobody",
        reason=approval.reason or f"nobody answered within {days}, which counts as Reject",
        evidence=_evidence(approval, case.task),
    )


def _require_same_answer(earlier: LedgerEntry, approval: Approval) -> None:
    """Let a cleared task apply its decision again, but not make another one."""
    if approval.at != earlier.evidence["answered_at"] or approval.who != earlier.evidence["answered_by"]:
        raise PromotionRefusedError(
            "decided",
            f"version {earlier.version} was {earlier.decision} on {earlier.at} by {earlier.who} (entry "
            f"{earlier.number} of the ledger), and a decision stands: another answer changes nothing. Train again for "
            "a new version; to bring a former champion back, run model_rollback.",
        )


def _require_answer(case: _Case) -> None:
    """Require that an approver answered with a reason, or that nobody answered in time."""
    number, approval, allowed = case.number, case.approval, case.promotion.approvers
    again = f"Clear `{case.task.task}` of this run to ask again"
    if not approval.choice:
        raise PromotionRefusedError(
            "answered",
            f"nobody has answered about version {number}: marking {case.task} a success is no answer. {again}.",
        )
    if approval.timed_out:
        if approval.choice == APPROVE:
            raise PromotionRefusedError("answered", f"no person approved version {number}. {again}.")
        return
    if approval.who not in allowed:
        raise PromotionRefusedError(
            "allowed",
            f"'{approval.who}' answered about version {number}, and only {', '.join(allowed)} may "
            f"({variable('promotion.approvers')}). {again}.",
        )
    if len(approval.reason) < SHORTEST_REASON:
        raise PromotionRefusedError(
            "reason", f"{approval.who} gave no reason, and the ledger keeps none without. {again}, and give one."
        )


def _require_evidence(case: _Case, champion: int | None) -> None:
    """Require that the evidence is what was approved, is current, and that the model can be used."""
    number, approval = case.number, case.approval
    try:
        request = build_request(case.registry, number)
    except TransientError:
        raise
    except RankloopError as error:
        raise PromotionRefusedError("evidence", str(error)) from error
    if (approval.subject, approval.body) != (request.subject, request.body):
        raise PromotionRefusedError(
            "shown",
            f"what was approved is not what the evidence says of version {number}: the request or the evidence was "
            "changed. Clear `write_request` with all tasks after it, to request the approval again.",
        )
    _require_current_comparison(case.registry, number, request, champion)
    try:
        verify_model(case.registry, number)
    except UnusableModelError as error:
        raise PromotionRefusedError("model", f"{error} Train again.") from error


def _require_current_comparison(
    registry: Registry, number: int, request: PromotionRequest, champion: int | None
) -> None:
    """Require that the version was compared with the present champion, and is the newest challenger."""
    if request.compared != champion:
        raise PromotionRefusedError(
            "champion",
            f"version {number} was compared with {version_label(request.compared)}, and by now "
            f"{version_label(champion)} is champion: nobody knows which is better. Start continuous_training again, "
            "which compares with that one.",
        )
    if champion is not None and versions.version(registry, champion).digest != request.compared_digest:
        raise PromotionRefusedError(
            "champion", f"version {champion} is not the model that version {number} was compared with. Train again."
        )
    newest = aliases.read(registry).challenger
    if newest != number:
        challenger = f"version {newest} is" if newest else "none is"
        raise PromotionRefusedError(
            "newest",
            f"version {number} is not the challenger any more, {challenger}. Answer the newest request under Required "
            "Actions; this one needs no answer.",
        )


def _record_refusal(state: Client, case: _Case, refusal: PromotionRefusedError, now: datetime) -> None:
    key = f"version {case.number} refused {refusal.rule} {case.approval.at}"
    if any(entry.key == key for entry in case.entries):
        return
    champion = champion_number(case.entries)
    draft = LedgerDraft(
        decision="refused",
        key=key,
        version=case.number,
        before=champion,
        after=champion,
        who=case.approval.who or "nobody",
        reason=f"{refusal.rule}: {refusal}",
        evidence=_evidence(case.approval, case.task),
    )
    ledger.append_entry(state, draft, case.entries[-1] if case.entries else None, now)


def _evidence(approval: Approval, task: ApprovalTask) -> dict[str, str]:
    shown = sha256(f"{approval.subject}\n{approval.body}".encode()).hexdigest()
    return {
        "request": str(task),
        "shown": shown,
        "choice": approval.choice,
        "answered_by": approval.who,
        "answered_at": approval.at,
        "said": approval.reason,
    }
