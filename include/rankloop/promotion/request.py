"""What the ML lead is asked: a line that says what it is, and the evidence on a page.

Made of what the training left in MLflow and of nothing else: made again when the answer is there, it says whether what
was shown is what the evidence says.
"""

from dataclasses import dataclass

from rankloop.champions.current import version_label
from rankloop.errors import RankloopError
from rankloop.ranking.comparison import Comparison
from rankloop.ranking.gate import METRIC, GateResult
from rankloop.ranking.report.summary import title_of
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.versions import Version
from rankloop.settings import Settings
from rankloop.training import record
from rankloop.training.record import open_record

EVIDENCE = (record.GATE, record.COMPARISON, record.EVALUATION, record.REPORT, record.SUMMARY)


class NoEvidenceError(RankloopError):
    """What a challenger was judged by is not there, or does not speak for it."""


@dataclass(frozen=True)
class Request:
    """A question to the ML lead."""

    version: int
    digest: str
    compared: int | None
    """The champion that it was compared with; None is the shop's own ranking."""
    compared_digest: str
    subject: str
    body: str
    """Markdown."""


def request_of(settings: Settings, number: int) -> Request:
    """The request about this version."""
    version = versions.version(Registry(settings.mlflow), number)
    run = open_record(settings, version.run_id).run
    if gone := [name for name in EVIDENCE if not run.has(name)]:
        raise NoEvidenceError(
            f"version {number} has no {', '.join(gone)} any more in its run {run.link}: nobody can see what it was "
            "judged by. Clear the tasks of its training from `evaluate` on, or train again."
        )
    gate = GateResult.from_json(run.get_text(record.GATE))
    if not gate.passed:
        raise NoEvidenceError(
            f"version {number} did not pass the gate: {gate.verdict} Nobody is asked about it; train another."
        )
    compared = version.tags["champion_compared"]
    against = int(compared) if compared.isdigit() else None
    subject = _subject(version, Comparison.from_json(run.get_text(record.COMPARISON)), against)
    body = "\n".join([run.get_text(record.SUMMARY).rstrip(), "", *_at_stake(version, against, run.link)])
    return Request(number, version.digest, against, version.tags["champion_digest"], subject, body)


def _subject(version: Version, comparison: Comparison, against: int | None) -> str:
    delta = comparison.of(METRIC)
    sure = f"{delta.difference:+.4f} ({delta.lower:+.4f} to {delta.upper:+.4f})"
    return (
        f"Promote version {version.number} to champion? {title_of(METRIC)} {sure} against {version_label(against)}, "
        f"as of {version.as_of}"
    )


def _at_stake(version: Version, against: int | None, link: str) -> list[str]:
    place = f"in place of {version_label(against)}"
    return [
        "**What you decide**",
        "",
        f"- Approve: version {version.number} ranks for every buyer from the next scoring on, {place}",
        "- Reject, or no answer in time: nothing changes, and this version is not asked about again",
        f"- Model digest: `{version.digest}`",
        f"- [The run, with its model and all artifacts]({link})",
        "- [What was decided before, and why](/model-desk/): the ledger",
        "",
    ]
