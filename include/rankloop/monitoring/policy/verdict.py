"""What is said of a day, and how it is kept."""

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
    """What is to be said of a day, and to be done."""

    model_config = ConfigDict(frozen=True)

    day: date
    version: int | None
    """The champion."""
    state: State
    reason: str
    causes: tuple[RootCause, ...] = ()
    held_back: tuple[str, ...] = ()
    """What is not done though the policy would have it, and why."""
    measured: tuple[str, ...] = ()
    """The tables that have rows of their newest day."""

    def summary(self) -> dict[str, Any]:
        """What is worth seeing of it at a glance."""
        return {"day": str(self.day), "version": self.version, "state": self.state, "reason": self.reason}


def record_verdict(client: Client, verdict: Verdict) -> None:
    """Make this the verdict of its day."""
    actions.save_verdict(client, verdict.day, verdict.model_dump(mode="json"))


def load_verdict(client: Client, day: date) -> Verdict:
    """The verdict of a day."""
    if found := actions.verdict_of_day(client, day):
        return Verdict.model_validate(found)
    raise NotJudgedError(f"{day} is not judged. Clear the task `judge` of drift_checks for that day.")


def newer_verdict_day(client: Client, day: date) -> date | None:
    """The newest day with a verdict, if it is after this one."""
    newest = date.fromisoformat(actions.recent_verdicts(client, 1)[0]["day"])
    return newest if newest > day else None
