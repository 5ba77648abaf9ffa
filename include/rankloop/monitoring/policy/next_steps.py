"""What on-call should do about a root cause, step by step."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict

from rankloop.monitoring.measure.tables import CATALOGUES, DRIFT, PERFORMANCE
from rankloop.monitoring.policy.declaration import RootCauseKind
from rankloop.monitoring.policy.finding import ALL, Finding, Rows
from rankloop.monitoring.policy.rule_set import Policy

FEATURES = "features"
"""The source of a data bug that shows in the features alone."""
MAX_PLACES = 3
CALM_PSI = 0.1
"""PSI below which a feature is called steady."""


class SuspectFeature(BaseModel):
    """A feature that may be behind a root cause."""

    model_config = ConfigDict(frozen=True)

    feature: str
    psi: float
    importance: float
    """Its share of the importance of all features."""
    factor: float | None = None
    """By what factor its mean differs from the reference's."""

    @property
    def blame(self) -> float:
        """Drift times importance."""
        return self.psi * self.importance


def repair_steps(source: str, days: Sequence[date]) -> tuple[str, ...]:
    """Return what to do about the wrong data of a source."""
    partitions = ", ".join(str(day) for day in days)
    asked = f"Ask whoever sends {source} what changed on {days[0]}."
    if source == FEATURES:
        asked = f"See what these features are made from (docs/features.md), and what changed there on {days[0]}."
        again = f"Once that is fixed, clear `aggregate` with what follows in `daily_features`, partition {partitions}."
    elif source in CATALOGUES:
        again = (
            f"Once it is fixed at its origin, the next day is right. What {source} were on {partitions} is kept as it "
            "was taken: MongoDB knows them only as they are now."
        )
    else:
        again = (
            f"Once it is fixed at its origin, clear `extract` of {source} with what follows in `daily_features`, "
            f"partition {partitions}; the checks of these days follow by themselves."
        )
    held = (
        "A rollback does not help: the former champion is fed the same data. If buyers should not see such rankings "
        'until then, `rankloop monitoring hold VERSION --reason "…"` for the champion and the one before it shows the '
        "shop's own."
    )
    return (asked, "Do not train meanwhile: a model would learn the mistake.", again, held)


def next_steps(  # noqa: PLR0913, PLR0917  (all that they follow from)
    kind: RootCauseKind,
    findings: Sequence[Finding],
    rows: Rows,
    policy: Policy,
    suspects: Sequence[SuspectFeature],
    segments: Sequence[str],
) -> tuple[str, ...]:
    """Return what to do about a drift."""
    wanted = {finding.severity for finding in findings if finding.persistent}
    steps = []
    if "fall back" in wanted:
        steps.append(_take_off(rows))
    if wanted & {"retrain", "fall back"}:
        steps.append("Train on the newest days: `continuous_training`, with `drift` set, so that no loss is enough.")
        steps.append("The ML lead is asked about the result, under Required Actions.")
    if not steps and "alert" in wanted:
        steps.append(
            "Nobody has to act tonight as long as performance holds: `rankloop live show` says how buyers take our "
            "rankings, against the shop's own."
        )
        steps.append(_look_first(findings, rows, policy, suspects, segments))
        steps.append(
            f"Say that you know of it, and what was launched or announced: `rankloop alerts ack 'drift:{kind}' "
            '--note "…"`.'
        )
    return tuple(steps or ["Nothing yet: check again tomorrow."])


def _take_off(rows: Rows) -> str:
    """Tell on-call how to stop showing our rankings, and that monitoring may have done so already."""
    champion = next((row["version"] for row in rows.get(PERFORMANCE, ())), "VERSION")
    return (
        "Take our rankings off: buyers do worse with them than with the shop's own. With `monitoring.mode` on that "
        "happens by itself, unless it is paused; `rankloop monitoring show` says whether it is, and which versions are "
        f'held back. By hand: `rankloop monitoring hold {champion} --reason "…"`.'
    )


def _look_first(
    findings: Sequence[Finding],
    rows: Rows,
    policy: Policy,
    suspects: Sequence[SuspectFeature],
    segments: Sequence[str],
) -> str:
    """Tell on-call where to begin: what was found bad comes before what is only suspected."""
    features = [finding.subject for finding in findings if finding.signal == "feature" and finding.subject != ALL]
    features += [suspect.feature for suspect in suspects if suspect.psi >= CALM_PSI]
    bad_segments = [finding.subject for finding in findings if finding.of_segment]
    places = ["the drift report, where there is one (under Read on)"] if rows.get(DRIFT) else []
    hints = ((policy.rule(finding.rule).look_first, finding) for finding in findings)
    places += [hint.format(**finding.model_dump()) for hint, finding in hints if hint]
    for kind, names in (("features", features), ("segments", [*bad_segments, *segments])):
        if names:
            places.append(f"the {kind} {', '.join([*dict.fromkeys(names)][:MAX_PLACES])}")
    return f"Look first at {'; '.join(places or ['what is wrong, below'])}."
