"""The ML lead's answer, over the real API of a real Airflow: who may give it, and what promotes nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rankloop.state.ledger import LedgerEntry
from rankloop_demo.stack import approving
from rankloop_demo.stack.airflow_api import AirflowApi, signed_in
from rankloop_demo.stack.home import read_private
from rankloop_demo.stack.people import passwords_file
from tests.e2e.clearing import ENDED, Run
from tests.e2e.conftest import ANSWER_WITHIN_S
from tests.promotion.shop import Shop
from tests.running import RunningStack, wait_until

pytestmark = pytest.mark.stack

DAG, ASK = approving.DAG, approving.ASK


@dataclass(frozen=True)
class Asked:
    """A version that the ML lead is asked about."""

    stack: RunningStack
    number: int
    run: Run

    def answer(self, person: str) -> int:
        """The status by which Airflow refuses somebody's answer."""
        body = {"chosen_options": ["Approve"], "params_input": {"reason": "better"}}
        return status(self.stack, person, "PATCH", f"{self.run.path}/taskInstances/{ASK}/-1/hitlDetails", body)

    def decided(self) -> set[str | None]:
        """How the task ended that carries the answer out."""
        wait_until(lambda: self.run.states("decide") <= ENDED, "an end of decide", within_s=120)
        return self.run.states("decide")


@pytest.fixture(scope="module")
def shop(stack: RunningStack, demo: str) -> Shop:
    """The shop of the stack, whose champion is the demo's."""
    assert demo
    return Shop(stack.settings)


@pytest.fixture(scope="module")
def forgotten(stack: RunningStack, shop: Shop) -> Asked:
    """A version that nobody answers about, asked before all others so that its time is over first."""
    return asked(stack, shop)


@pytest.fixture(scope="module", autouse=True)
def _asked_first(forgotten: Asked) -> None:
    assert forgotten


@pytest.fixture
def version(stack: RunningStack, shop: Shop) -> Asked:
    """A new challenger, asked about."""
    return asked(stack, shop)


@pytest.fixture
def champion(shop: Shop) -> Iterator[int]:
    """Who is champion, and has to be after the test."""
    before = shop.aliases["champion"]
    yield before
    assert shop.aliases["champion"] == before


def asked(stack: RunningStack, shop: Shop) -> Asked:
    number = shop.register(shop.aliases["champion"])
    run = approving.ask_about(stack.settings, number)
    return Asked(stack, number, Run(signed_in(stack.settings, "oncall"), DAG, run))


def not_yet_asked(stack: RunningStack, number: int) -> Asked:
    """A version whose run ended between writing the request and showing it; Airflow never changes one that it shows."""
    admin = signed_in(stack.settings, "admin")
    run = Run(admin, DAG, f"version_{number}")
    admin.ask("PATCH", f"/dags/{DAG}", {"is_paused": True})
    begun = {"dag_run_id": run.run_id, "logical_date": None, "conf": {"version": number}}
    admin.ask("POST", f"/dags/{DAG}/dagRuns", begun)
    admin.ask("PATCH", f"{run.path}/taskInstances/{ASK}", {"new_state": "failed"})
    admin.ask("PATCH", f"/dags/{DAG}", {"is_paused": False})
    run.succeed("write_request")
    wait_until(lambda: admin.ask("GET", run.path)["state"] == "failed", f"an end of {run.path}", within_s=60)
    return Asked(stack, number, run)


def status(stack: RunningStack, person: str, method: str, path: str, body: Any = None) -> int:  # noqa: ANN401
    """The status of HTTP that this person gets."""
    from rankloop_demo.stack import local_http  # noqa: PLC0415

    api = signed_in(stack.settings, person)
    answer = local_http.ask(method, api.port, f"/api/v2{path}", body, api.token)
    assert answer
    return answer.status


def newest(shop: Shop, number: int) -> LedgerEntry:
    return [entry for entry in shop.entries if entry.version == number][-1]


def test_the_demo_asks_answers_and_ends_with_a_champion(stack: RunningStack, demo: str, shop: Shop) -> None:
    assert "Promote version 1 to champion? NDCG@10 +" in demo
    assert "version 1 is the champion" in demo
    told = stack.rankloop("ledger", "show").stdout
    assert "version 1 promoted by ml-lead, champion in place of the shop's own ranking: answered by the demo" in told
    assert shop.entries[0].evidence["request"] == f"{DAG}/version_1/{ASK}"
    verified = stack.rankloop("ledger", "verify")
    assert (verified.returncode, "The ledger is valid" in verified.stdout) == (0, True)


@pytest.mark.usefixtures("champion")
def test_nobody_answers_in_the_ml_leads_place_and_nobody_twice(stack: RunningStack, version: Asked, shop: Shop) -> None:
    assert [version.answer(person) for person in ("viewer", "oncall", "admin")] == [403, 403, 403]
    approving.answer(stack.settings, version.run.run_id, "ml-lead", "Reject", "not before Tet")
    assert version.answer("ml-lead") == 409
    assert version.decided() == {"success"}
    entry = newest(shop, version.number)
    assert (entry.decision, entry.who, entry.reason) == ("rejected", "ml-lead", "not before Tet")


@pytest.mark.usefixtures("champion")
def test_marking_the_gate_a_success_promotes_nothing(stack: RunningStack, version: Asked, shop: Shop) -> None:
    path = f"{version.run.path}/taskInstances/{ASK}"
    assert status(stack, "oncall", "PATCH", path, {"new_state": "success"}) == 200
    assert version.decided() == {"failed"}
    entry = newest(shop, version.number)
    assert (entry.decision, entry.reason.partition(":")[0]) == ("refused", "answered")


def test_an_edited_xcom_promotes_nothing(stack: RunningStack, champion: int, shop: Shop) -> None:
    version = not_yet_asked(stack, shop.register(champion))
    forged = {"subject": "Promote version 1 to champion? NDCG@10 +0.9", "body": "All is well."}
    path = f"{version.run.path}/taskInstances/write_request/xcomEntries/return_value"
    assert status(stack, "admin", "PATCH", path, {"value": forged}) == 200
    version.run.clear(ASK)
    version.run.clear("decide")
    api = signed_in(stack.settings, "viewer")
    wait_until(lambda: version.run.states(ASK) == {approving.WAITING}, "the question", within_s=60)
    assert detail(api, version)["body"] == "All is well."
    approving.answer(stack.settings, version.run.run_id, "ml-lead", "Approve", "looks good")
    assert version.decided() == {"failed"}
    assert newest(shop, version.number).reason.startswith("shown: what was approved is not what the evidence says")


@pytest.mark.usefixtures("champion")
def test_a_rejected_version_is_not_promoted_by_clearing(stack: RunningStack, version: Asked, shop: Shop) -> None:
    approving.answer(stack.settings, version.run.run_id, "ml-lead", "Reject", "too risky")
    assert version.decided() == {"success"}
    version.run.clear_at_rest(ASK)
    api = signed_in(stack.settings, "viewer")
    wait_until(lambda: not detail(api, version)["response_received"], "the question again", within_s=60)
    approving.answer(stack.settings, version.run.run_id, "ml-lead", "Approve", "second thoughts")
    version.run.succeed(ASK)
    version.run.clear_at_rest("decide")
    assert version.decided() == {"failed"}
    assert newest(shop, version.number).reason.startswith("decided: version")


def test_a_reason_is_required(stack: RunningStack, version: Asked, shop: Shop) -> None:
    field = detail(signed_in(stack.settings, "viewer"), version)["params"]["reason"]
    assert (field["schema"]["type"], field["schema"]["minLength"]) == ("string", 3)
    # The API takes what the form does not.
    approving.answer(stack.settings, version.run.run_id, "ml-lead", "Approve", None)
    assert version.decided() == {"failed"}
    assert newest(shop, version.number).reason.startswith("reason: ml-lead gave no reason")


def test_the_ml_lead_promotes_and_on_call_rolls_back(stack: RunningStack, version: Asked, shop: Shop) -> None:
    before = shop.aliases["champion"]
    approving.answer(stack.settings, version.run.run_id, "ml-lead", "Approve", "better for new buyers")
    assert version.decided() == {"success"}
    assert shop.aliases["champion"] == version.number
    assert status(stack, "viewer", "POST", "/dags/model_rollback/dagRuns", wish()) == 403
    oncall = signed_in(stack.settings, "oncall")
    rehearsal, real = (oncall.ask("POST", "/dags/model_rollback/dagRuns", wish(dry_run=dry)) for dry in (True, False))
    for begun in (rehearsal, real):
        Run(oncall, "model_rollback", begun["dag_run_id"]).succeed("roll_back")
    assert shop.aliases["champion"] == before
    rolled = [entry for entry in shop.entries if entry.decision == "rolled back"]
    assert [(entry.who, entry.reason) for entry in rolled] == [("oncall", "orders fall since noon")]


def test_no_answer_in_time_counts_as_reject(forgotten: Asked, shop: Shop) -> None:
    wait_until(lambda: forgotten.run.states("decide") <= ENDED, "the time to be over", within_s=ANSWER_WITHIN_S + 120)
    entry = newest(shop, forgotten.number)
    assert (entry.decision, entry.who) == ("timed out", "nobody")


def test_no_secret_is_in_a_log_a_rendered_template_or_the_ledger(
    stack: RunningStack, shop: Shop, version: Asked
) -> None:
    home = stack.settings.home
    secrets = {*read_private(passwords_file(home)).values(), *read_private(home / "keys.json").values()}
    written = [path.read_text(errors="replace") for path in (home / "airflow" / "logs").rglob("*.log")]
    tasks = version.run.airflow.ask("GET", f"{version.run.path}/taskInstances?limit=100")["task_instances"]
    written += [json.dumps([task["rendered_fields"] for task in tasks]), str(shop.entries), stack_log(home)]
    assert len(written) > 10
    assert not [secret for secret in secrets for text in written if secret in text]


def stack_log(home: Path) -> str:
    """What the servers printed, but for the passwords that are shown once."""
    return re.sub(r"(?m)^.*Password for user.*$", "", (home / "logs" / "stack.log").read_text(errors="replace"))


def detail(api: AirflowApi, version: Asked) -> dict[str, Any]:
    """The question as it stands, empty while there is none."""
    try:
        found: dict[str, Any] = api.ask("GET", f"{version.run.path}/taskInstances/{ASK}/-1/hitlDetails")
    except Exception:  # noqa: BLE001  (a task just cleared has no question yet)
        return {"body": "", "response_received": True}
    return found


def wish(*, dry_run: bool = False) -> dict[str, Any]:
    return {"logical_date": None, "conf": {"reason": "orders fall since noon", "dry_run": dry_run}}
