"""The verdict of a market day, and how it is stored."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from rankloop.errors import RankloopError
from rankloop.mongo import Client
from rankloop.monitoring.policy.root_cause import RootCause
from rankloop.state import actions

State = Literal["ok", "watch", "alert", "retrain", "fall back"]


class NotJudgedError(RankloopError):
    """A day without a verdict."""


class Verdict(BaseModel):
    """Monitoring's decision about a market day: its severity, its root causes, and what is not done."""

    model_config = ConfigDict(frozen=True)

    day: date
    version: int | None
    """The champion."""
    state: State
    reason: str
    causes: tuple[RootCause, ...] = ()
    held_back: tuple[str, ...] = ()
    """What is called for and not done, and why."""
    measured: tuple[str, ...] = ()
    """The tables that have rows of their newest day."""

    def summary(self) -> dict[str, Any]:
        """Return it in short."""
        return {"day": str(self.day), "version": self.version, "state": self.state, "reason": self.reason}


def record_verdict(client: Client, verdict: Verdict) -> None:
    """Store this as the verdict of its day."""
    actions.save_verdict(client, verdict.day, verdict.model_dump(mode="json"))


def load_verdict(client: Client, day: date) -> Verdict:
    """Return the verdict of a day, or raise a NotJudgedError."""
    if document := actions.verdict_of_day(client, day):
        return Verdict.model_validate(document)
    raise NotJudgedError(f"{day} is not judged. Clear the task `judge` of drift_checks for that day.")


def newer_verdict_day(client: Client, day: date) -> date | None:
    """Return the newest day with a verdict, if it is after this one."""
    newest = date.fromisoformat(actions.recent_verdicts(client, 1)[0]["day"])
    return newest if newest > day else None
