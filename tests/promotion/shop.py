"""A shop with versions that trainings registered, each with its evidence, and people who answer."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from pymongo import MongoClient

from rankloop.champions.current import reconcile_aliases
from rankloop.context import Context, open_context
from rankloop.mongo import connect
from rankloop.promotion.approval_task import Approval, ApprovalTask
from rankloop.promotion.decision import apply_decision
from rankloop.promotion.request import build_request
from rankloop.promotion.rollback import RollbackRequest, RollbackResult, roll_back
from rankloop.ranking.comparison import Bootstrap, Comparison, Delta
from rankloop.ranking.gate import judge
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import put_model
from rankloop.registry.tracking import open_training
from rankloop.registry.versions import LIFECYCLE, MODEL, VersionSummary
from rankloop.settings import Settings
from rankloop.state import ledger
from rankloop.state.ledger import LedgerEntry
from rankloop.training import record
from tests.registry import small_model

AS_OF, NOW = date(2026, 11, 16), datetime(2026, 11, 17, 2, tzinfo=UTC)
MODELS = count(1)


@dataclass(frozen=True)
class Shop:
    """MLflow and MongoDB, and all that people do with them."""

    settings: Settings

    @property
    def mlflow(self) -> MlflowClient:
        """MLflow, asked past Rankloop, as somebody in its UI would."""
        return MlflowClient(self.settings.mlflow, self.settings.mlflow)

    def context(self) -> AbstractContextManager[Context]:
        """The connections of a task, at the time of these tests."""
        return open_context(self.settings, lambda: NOW)

    def register(self, compared: int | None = None, better: float = 0.03) -> int:
        """The number of a new version that was compared with this champion."""
        number = next(MODELS)
        run = open_training(Registry(self.settings.mlflow), f"training {os.getpid()} {number}", AS_OF, "weekly")
        with TemporaryDirectory() as folder:
            model = small_model.write(Path(folder) / "model", seed=number)
            digest = put_model(run, model, small_model.EXAMPLE)
        comparison = compared_by(better, "champion_score" if compared else "base_score")
        gate = judge(comparison, self.settings.gate)
        for name, text in {
            record.COMPARISON: comparison.to_json(),
            record.GATE: gate.to_json(),
            record.EVALUATION: "[]",
            record.REPORT: "<html>the report</html>",
            record.SUMMARY: f"**{gate.verdict}**\n",
        }.items():
            run.put_text(name, text)
        standing = versions.version(Registry(self.settings.mlflow), compared).digest if compared else ""
        more = {
            "reason": "weekly",
            "data_digest": "d1",
            "champion_compared": compared or "base_score",
            "champion_digest": standing,
        }
        facts = VersionSummary(AS_OF, {"training/lists": 41}, gate.verdict, "# A card", more)
        return versions.register(Registry(self.settings.mlflow), run, digest, facts)

    def answer(
        self, number: int, choice: str = "Approve", who: str = "ml-lead", reason: str = "it is better"
    ) -> Approval:
        """What somebody answered to the request about this version."""
        request = build_request(Registry(self.settings.mlflow), number)
        at = "" if not choice else (NOW - timedelta(minutes=5)).isoformat()
        return Approval(request.subject, request.body, choice, who, reason, at)

    def decide(self, number: int, **answered: str) -> LedgerEntry:
        """What came of an answer."""
        return self.carry_out(number, self.answer(number, **answered))

    def carry_out(self, number: int, answer: Approval) -> LedgerEntry:
        """What came of this very answer."""
        with self.context() as context:
            return apply_decision(context, number, answer, asked(number))

    def promoted(self, compared: int | None = None) -> int:
        """A new version, promoted."""
        number = self.register(compared)
        self.decide(number)
        return number

    def roll_back(self, **more: Any) -> RollbackResult:  # noqa: ANN401  (what a request holds)
        """A rollback, by on-call."""
        dry_run = more.pop("dry_run", False)
        request = replace(RollbackRequest("oncall", "orders fall", "model_rollback/1"), **more)
        with self.context() as context:
            return roll_back(context, request, dry_run=dry_run)

    @property
    def entries(self) -> list[LedgerEntry]:
        """The ledger as it is."""
        with connect(self.settings.mongo) as client:
            return ledger.read_ledger(client)

    @property
    def settled(self) -> list[LedgerEntry]:
        """The ledger once somebody has read the champion."""
        with connect(self.settings.mongo) as client:
            return reconcile_aliases(client, Registry(self.settings.mlflow))

    @property
    def aliases(self) -> dict[str, int]:
        """Who has which alias."""
        found = self.mlflow.get_registered_model(MODEL).aliases
        return {name: int(number) for name, number in found.items()}

    @property
    def lives(self) -> dict[int, str]:
        """Which part of its life each version is in."""
        found = self.mlflow.search_model_versions(f"name = '{MODEL}'")
        return {int(entry.version): entry.tags[LIFECYCLE] for entry in found}

    @property
    def alerts(self) -> dict[str, str]:
        """The state of each alert, by kind and subject."""
        with MongoClient[dict[str, Any]](self.settings.mongo) as client:
            return {alert["_id"]: alert["state"] for alert in client["rankloop"]["alerts"].find()}


def asked(number: int) -> ApprovalTask:
    """The task that asks about a version."""
    return ApprovalTask("model_promotion", f"version_{number}", "ask_ml_lead")


def compared_by(better: float, champion: str) -> Comparison:
    """A comparison that the gate passes if the challenger is better."""
    deltas = [
        Delta("all", metric, 5000, 0.4, 0.4 + by, by, by - 0.004, by + 0.004)
        for metric, by in (("ndcg@10", better), ("recall@30", 0.001))
    ]
    return Comparison(champion, "pscore", ("test_0",), 9000, Bootstrap(), tuple(deltas))
