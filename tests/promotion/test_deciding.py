"""What comes of an answer: a champion, or the reason why not, and always an entry in the ledger."""

from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from rankloop.promotion.decision import PromotionRefusedError
from rankloop.promotion.request import NoEvidenceError
from rankloop.promotion.requesting import AlreadyDecidedError, create_request, notify_approvers
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.registry.versions import MODEL
from rankloop.state.ledger import LEDGER
from rankloop.training import record
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack


def refused(shop: Shop, number: int, **answered: Any) -> str:  # noqa: ANN401
    """The rule by which an answer was refused; nothing may have changed but the ledger's newest entry."""
    before = (shop.aliases, shop.lives)
    answer = shop.answer(number)
    with pytest.raises(PromotionRefusedError) as refusal:
        shop.carry_out(number, replace(answer, **answered))
    assert (shop.aliases, shop.lives) == before
    newest = shop.entries[-1]
    assert (newest.decision, newest.version, newest.before) == ("refused", number, newest.after)
    assert newest.reason == f"{refusal.value.rule}: {refusal.value}"
    return refusal.value.rule


def test_an_approved_challenger_is_champion_and_the_old_one_previous(shop: Shop) -> None:
    first = shop.promoted()
    second = shop.register(first)
    entry = shop.decide(second, reason="clearly better for new buyers")
    assert (entry.decision, entry.who, entry.reason) == ("promoted", "ml-lead", "clearly better for new buyers")
    assert (entry.before, entry.after) == (first, second)
    assert shop.aliases == {"champion": second, "previous": first}
    assert shop.lives == {first: "Archived", second: "Production"}


def test_a_rejected_one_is_put_away_and_the_champion_stays(shop: Shop) -> None:
    first = shop.promoted()
    second = shop.register(first)
    assert shop.decide(second, choice="Reject", reason="not before Tet").decision == "rejected"
    assert shop.aliases == {"champion": first}
    assert shop.lives == {first: "Production", second: "Archived"}


def test_no_answer_in_time_counts_as_reject_and_says_so(shop: Shop) -> None:
    number = shop.register()
    entry = shop.decide(number, choice="Reject", who="", reason="")
    assert (entry.decision, entry.who) == ("timed out", "nobody")
    assert entry.reason == "nobody answered within 5 days, which counts as Reject"
    assert shop.aliases == {}
    assert shop.alerts[f"approval_timed_out:version {number}"] == "open"


@pytest.mark.parametrize(
    ("answered", "rule"),
    [
        ({"choice": "", "who": ""}, "answered"),
        ({"who": ""}, "answered"),
        ({"who": "oncall"}, "allowed"),
        ({"who": "admin", "choice": "Reject"}, "allowed"),
        ({"reason": "ok"}, "reason"),
        ({"body": "NDCG@10 is up by 0.9"}, "shown"),
        ({"subject": "Promote version 99 to champion?"}, "shown"),
    ],
)
def test_an_answer_that_is_none_is_refused(answered: dict[str, str], rule: str, shop: Shop) -> None:
    assert refused(shop, shop.register(), **answered) == rule


def test_a_refusal_is_written_down_once_however_often_the_task_is_cleared(shop: Shop) -> None:
    number = shop.register()
    for _ in range(2):
        refused(shop, number, who="oncall")
    assert len(shop.entries) == 1


def test_what_was_refused_may_be_approved_once_it_is_mended(shop: Shop) -> None:
    number = shop.register()
    refused(shop, number, who="oncall")
    shop.decide(number)
    assert shop.aliases == {"champion": number}


def test_it_is_refused_when_the_champion_has_moved_since_the_comparison(shop: Shop) -> None:
    first = shop.promoted()
    slow, quick = shop.register(first), shop.register(first)
    shop.decide(quick)
    assert refused(shop, slow) == "champion"


def test_it_is_refused_when_there_is_a_newer_challenger(shop: Shop) -> None:
    older = shop.register()
    shop.register()
    assert refused(shop, older) == "newest"


def test_it_is_refused_when_the_evidence_is_gone(shop: Shop) -> None:
    number = shop.register()
    answer = shop.answer(number)
    run = training_run(Registry(shop.settings.mlflow), run_of(shop, number))
    run._repository("").delete_artifacts(record.GATE)  # noqa: SLF001  (as somebody in MLflow's store would)
    with pytest.raises(PromotionRefusedError, match=r"has no gate\.json any more in its run http"):
        shop.carry_out(number, answer)
    assert shop.aliases == {"challenger": number}
    with shop.context() as context, pytest.raises(NoEvidenceError):
        create_request(context, number)


def test_it_is_refused_when_the_model_was_changed(shop: Shop) -> None:
    number = shop.register()
    shop.mlflow.set_model_version_tag(MODEL, str(number), "digest", "0" * 64)
    assert refused(shop, number) == "model"


def test_a_rejected_version_is_not_promoted_by_asking_again(shop: Shop) -> None:
    number = shop.register()
    shop.decide(number, choice="Reject")
    assert refused(shop, number, at="2026-11-18T00:00:00+00:00") == "decided"
    with shop.context() as context, pytest.raises(AlreadyDecidedError, match="was rejected on 2026-11-17"):
        create_request(context, number)


def test_a_decision_that_is_carried_out_again_stays_one(shop: Shop) -> None:
    number = shop.promoted()
    assert shop.decide(number) == shop.entries[0]
    assert len(shop.entries) == 1


def test_clearing_an_old_promotion_does_not_bring_the_old_champion_back(shop: Shop) -> None:
    first = shop.promoted()
    answer = shop.answer(first)
    second = shop.promoted(first)
    shop.carry_out(first, answer)
    assert shop.aliases == {"champion": second, "previous": first}


def test_whoever_is_to_answer_is_told_and_told_when_it_is_over(shop: Shop) -> None:
    number = shop.register()
    subject = shop.answer(number).subject
    with shop.context() as context:
        message = notify_approvers(context, number, subject, "http://airflow/required_actions")
    assert f"Promote version {number} to champion? NDCG@10 +0.0300" in message
    assert shop.alerts == {f"approval_wanted:version {number}": "open"}
    shop.decide(number)
    assert shop.alerts == {f"approval_wanted:version {number}": "closed"}


def test_the_ledger_has_the_evidence_and_no_more_than_that(shop: Shop) -> None:
    number = shop.promoted()
    with MongoClient[dict[str, Any]](shop.settings.mongo) as client:
        [written] = client["rankloop"][LEDGER].find()
    assert written["evidence"]["request"] == f"model_promotion/version_{number}/ask_ml_lead"
    assert set(written["evidence"]) == {"request", "shown", "choice", "answered_by", "answered_at", "said"}


def run_of(shop: Shop, number: int) -> str:
    """The run of a version."""
    return str(shop.mlflow.get_model_version(MODEL, str(number)).run_id)
