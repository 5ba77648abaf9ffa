"""The request for promotion that the ML lead reads: a subject line, and the evidence on a page.

It is built from the training's MLflow run alone. It is built again when the answer is there, and must be the same: so
an approval counts only for the evidence that was shown.
"""

from dataclasses import dataclass

from rankloop.champions.current import version_label
from rankloop.errors import RankloopError
from rankloop.ranking.comparison import Comparison
from rankloop.ranking.gate import METRIC, GateResult
from rankloop.ranking.report.summary import title_of
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.registry.versions import Version
from rankloop.training import record

EVIDENCE = (record.GATE, record.COMPARISON, record.EVALUATION, record.REPORT, record.SUMMARY)


class NoEvidenceError(RankloopError):
    """A challenger whose evidence is missing, or which did not pass the gate."""


@dataclass(frozen=True)
class PromotionRequest:
    """A request to promote a version."""

    version: int
    digest: str
    compared: int | None
    """The champion that it was compared with, or None for the shop's own ranking."""
    compared_digest: str
    subject: str
    body: str
    """Markdown."""


def build_request(registry: Registry, number: int) -> PromotionRequest:
    """Return the request to promote this version, from the evidence in its run."""
    version = versions.version(registry, number)
    run = training_run(registry, version.run_id)
    if missing := [name for name in EVIDENCE if not run.has(name)]:
        raise NoEvidenceError(
            f"version {number} has no {', '.join(missing)} any more in its run {run.link}: the evidence is "
            "incomplete. Clear the tasks of its training from `evaluate` on, or train again."
        )
    gate = GateResult.from_json(run.get_text(record.GATE))
    if not gate.passed:
        raise NoEvidenceError(
            f"version {number} did not pass the gate: {gate.verdict} Its approval is not requested; train another."
        )
    compared = version.tags["champion_compared"]
    against = int(compared) if compared.isdigit() else None
    subject = _subject(version, Comparison.from_json(run.get_text(record.COMPARISON)), against)
    body = "\n".join([run.get_text(record.SUMMARY).rstrip(), "", *_consequences(version, against, run.link)])
    return PromotionRequest(number, version.digest, against, version.tags["champion_digest"], subject, body)


def _subject(version: Version, comparison: Comparison, against: int | None) -> str:
    delta = comparison.of(METRIC)
    interval = f"{delta.difference:+.4f} ({delta.lower:+.4f} to {delta.upper:+.4f})"
    return (
        f"Promote version {version.number} to champion? {title_of(METRIC)} {interval} "
        f"against {version_label(against)}, as of {version.as_of}"
    )


def _consequences(version: Version, against: int | None, link: str) -> list[str]:
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
