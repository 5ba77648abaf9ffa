"""Why it is as it is: what is wrong with the data, with the inputs, or with what buyers like, and what to do.

Data that is wrong comes first: whatever else is bad meanwhile follows from it, and no training mends it. Inputs that
moved are a covariate shift, whether performance fell or still holds. Where performance fell, or a fresh model is
better, while the inputs that the champion goes by stayed, it is what buyers like that moved: a concept drift.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.measures import CATALOGUES, CONCEPT, DRIFT, PERFORMANCE, QUALITY
from rankloop.monitoring.policy.findings import ALL, Finding, Rows, weights_of
from rankloop.monitoring.policy.rules import Row, factor_of, known
from rankloop.monitoring.policy.wording import metric, sentence, sentences

Kind = Literal["data bug", "covariate shift", "concept drift", "unclear"]
DATA_BUG: Kind = "data bug"
SHIFT: Kind = "covariate shift"
CONCEPT_DRIFT: Kind = "concept drift"
UNCLEAR: Kind = "unclear"
HOLDS = "Performance holds so far."
FEATURES = "features"
MOST_SUSPECTS, MOST_PLACES = 5, 3
CALM_PSI = 0.1
"""PSI below which a feature is called steady."""
SHOP = "shop"
"""The signal of rows that name a shop behind the measure (`rankloop.monitoring.measure.quality`)."""
PRICE_FAULTS = {"jumped": "jumped", "off_scale": "off scale"}
"""By measure, in words; the surer first: prices that are another unit may still be near others of their category."""


class Suspect(BaseModel):
    """A feature that may be behind it."""

    model_config = ConfigDict(frozen=True)

    feature: str
    psi: float
    importance: float
    """Its share of the importance of all features."""
    factor: float | None = None
    """By what its mean differs from the reference's."""

    @property
    def blame(self) -> float:
        """Drift by importance."""
        return self.psi * self.importance


class Cause(BaseModel):
    """One thing that is wrong, with all that follows from it."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    key: str
    """The same from day to day: one incident is open for it."""
    title: str
    findings: tuple[Finding, ...]
    reasons: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    where: tuple[str, ...]
    todo: tuple[str, ...]
    concerns: str

    @property
    def since(self) -> date:
        """The first bad day that was seen, of what is behind it."""
        behind = [finding for finding in self.findings if finding.role == "data" or self.kind != DATA_BUG]
        return min(day for finding in behind for day in finding.days)

    @property
    def tables(self) -> tuple[str, ...]:
        """What it is known from: only once these are measured again can it be over."""
        return tuple(sorted({finding.table for finding in self.findings}))


def causes(findings: Sequence[Finding], rows: Rows, importance: Mapping[str, float]) -> tuple[Cause, ...]:
    """Why each of the findings is there, in as few causes as explain them; none where nothing is wrong."""
    data = [finding for finding in findings if finding.role == "data"]
    others = [finding for finding in findings if finding.role != "data"]
    suspects = suspected(rows.get(DRIFT, ()), importance)
    if not any(finding.standing for finding in data) and not others:
        return ()
    if data:
        return tuple(_data_bugs(data, others, rows, suspects))
    return (_drift(others, rows, suspects),)


def suspected(rows: Iterable[Row], importance: Mapping[str, float]) -> tuple[Suspect, ...]:
    """The features of the newest day that moved most among those that count most."""
    features = [row for row in rows if row["signal"] == "feature" and known(row["value"])]
    newest = max((row[DAY] for row in features), default=None)
    psi = {row["subject"]: row["value"] for row in features if row[DAY] == newest and row["measure"] == "psi"}
    means = {row["subject"]: factor_of(row) for row in features if row[DAY] == newest and row["measure"] == "mean"}
    weights = weights_of(psi, importance)
    found = [Suspect(feature=n, psi=psi[n], importance=weights[n], factor=means.get(n)) for n in psi]
    found.sort(key=lambda one: (-one.blame, -one.psi, one.feature))
    return tuple(found[:MOST_SUSPECTS])


def _data_bugs(
    data: Iterable[Finding], others: Sequence[Finding], rows: Rows, suspects: tuple[Suspect, ...]
) -> Iterable[Cause]:
    """One for each source that is wrong; all else that is bad is told with the first."""
    by_source: dict[str, list[Finding]] = defaultdict(list)
    for finding in data:
        source = finding.subject.partition(".")[0] if finding.table == QUALITY else FEATURES
        by_source[source].append(finding)
    if len(by_source) > 1 and FEATURES in by_source:
        # The features are wrong because a source is.
        sources = sorted(set(by_source) - {FEATURES})
        by_source[sources[0]] += by_source.pop(FEATURES)
    follows = tuple(others)
    for source in sorted(by_source):
        yield _data_bug(source, by_source[source], follows, rows, suspects)
        follows = ()


def _data_bug(
    source: str, found: Sequence[Finding], follows: tuple[Finding, ...], rows: Rows, suspects: tuple[Suspect, ...]
) -> Cause:
    days = sorted({day for finding in found for day in finding.days})
    where = [*_shops(found, rows), *sorted({finding.subject for finding in found})]
    reasons = [sentence(finding) for finding in found]
    if not any(finding.standing for finding in found):
        reasons.append("That is over; what is still bad may come from it, so nothing is trained on those days yet.")
    if follows:
        reasons.append("What else is bad may follow from wrong data, and no training mends that.")
    return Cause(
        kind=DATA_BUG,
        key=f"{DATA_BUG}: {source}",
        title=f"The data of {source} is wrong" if source != FEATURES else "Features hold what cannot be",
        findings=(*found, *follows),
        reasons=tuple(reasons),
        suspects=suspects,
        where=tuple(where[: 2 * MOST_PLACES]),
        todo=_mend(source, days),
        concerns=f"the data platform, and whoever owns {source}",
    )


def _shops(found: Iterable[Finding], rows: Rows) -> list[str]:
    """The shops whose prices are off: of the newest day on which prices jumped, or else were off scale."""
    newest = {one.measure: max(one.days) for one in found if one.table == QUALITY and one.measure in PRICE_FAULTS}
    for measure, what in PRICE_FAULTS.items():
        mine = [
            (row["value"] * row["rows"], row["measure"].partition(" ")[2], row["rows"])
            for row in rows.get(QUALITY, ())
            if row["signal"] == SHOP and row[DAY] == newest.get(measure) and row["measure"].startswith(f"{measure} ")
        ]
        if mine:
            mine.sort(key=lambda one: (-one[0], one[1]))
            return [f"shop {shop}: {hits:,.0f} of {count:,} prices {what}" for hits, shop, count in mine]
    return []


def _mend(source: str, days: Sequence[date]) -> tuple[str, ...]:
    """What to do about wrong data."""
    partitions = ", ".join(str(day) for day in days)
    asked = f"Ask whoever sends {source} what changed on {days[0]}."
    if source == FEATURES:
        asked = f"See what these features are made from (docs/features.md), and what changed there on {days[0]}."
        again = f"Once that is mended, clear `aggregate` with what follows in `daily_features`, partition {partitions}."
    elif source in CATALOGUES:
        again = (
            f"Once it is mended at its origin, the next day is right. What {source} were on {partitions} is kept as it "
            "was taken: MongoDB knows them only as they are now."
        )
    else:
        again = (
            f"Once it is mended at its origin, clear `extract` of {source} with what follows in `daily_features`, "
            f"partition {partitions}; the checks of these days follow by themselves."
        )
    held = (
        "A rollback does not help: the former champion is fed the same data. If buyers should not see such rankings "
        'until then, `rankloop monitoring hold VERSION --reason "…"` for the champion and the one before it shows the '
        "shop's own."
    )
    return (asked, "Do not train meanwhile: a model would learn the mistake.", again, held)


def _drift(found: Sequence[Finding], rows: Rows, suspects: tuple[Suspect, ...]) -> Cause:
    """Inputs that moved, or what buyers like."""
    inputs = [one for one in found if one.rule in {"inputs", "feature", "new_values", "catalogue"}]
    fell = [one for one in found if one.role == "performance"]
    newer = [one for one in found if one.role == "concept"]
    told = sentences(found)
    # A feature that the champion hardly goes by may move as it likes: that is not why performance fell.
    explained = not (fell or newer) or any(one.rule == "inputs" for one in inputs)
    if inputs and explained:
        kind, title = SHIFT, "The inputs have moved"
        why = "Performance has fallen with it." if fell else HOLDS
    elif fell or newer:
        kind, title, why = CONCEPT_DRIFT, "Buyers like other things than they did", _steady(suspects)
    else:
        kind, title, why = UNCLEAR, "Something moved, and nothing says yet what it does", HOLDS
    places = _places(rows)
    return Cause(
        kind=kind,
        key=kind,
        title=title,
        findings=tuple(found),
        reasons=(*told, why),
        suspects=suspects,
        where=tuple(places.values()),
        todo=_todo(kind, found, rows, suspects, tuple(places)),
        concerns="the ML lead" if kind != UNCLEAR else "nobody yet",
    )


def _steady(suspects: Sequence[Suspect]) -> str:
    if not suspects:
        return "Of the inputs nothing was measured that says otherwise."
    most = max(suspects, key=lambda one: one.psi)
    if most.psi < CALM_PSI:
        return f"The inputs stayed: of the suspects {most.feature} moved most, with a PSI of {most.psi:.2f}."
    return (
        f"The inputs that the champion goes by explain little of it: of the suspects {most.feature} moved most, with a "
        f"PSI of {most.psi:.2f}, and has {most.importance:.1%} of all importance."
    )


def _todo(
    kind: Kind, found: Sequence[Finding], rows: Rows, suspects: Sequence[Suspect], places: Sequence[str]
) -> tuple[str, ...]:
    wanted = {finding.severity for finding in found if finding.persistent}
    steps = []
    if "fall back" in wanted:
        steps.append(_take_off(rows))
    if wanted & {"retrain", "fall back"}:
        steps.append("Train on the newest days: `continuous_training`, with `drift` set, so that no loss is enough.")
        steps.append("The ML lead is asked about what comes of it, under Required Actions.")
    if not steps and "alert" in wanted:
        steps.append(
            "Nobody has to act tonight as long as performance holds: `rankloop live show` says how buyers take our "
            "rankings, against the shop's own."
        )
        steps.append(_look_first(found, rows, suspects, places))
        steps.append(
            f"Say that you know of it, and what was launched or announced: `rankloop alerts ack 'drift:{kind}' "
            '--note "…"`.'
        )
    return tuple(steps or ["Nothing yet: look again tomorrow."])


def _take_off(rows: Rows) -> str:
    """What to do where our rankings do harm, and whether anybody has to."""
    champion = next((row["version"] for row in rows.get(PERFORMANCE, ())), "VERSION")
    return (
        "Take our rankings off: buyers do worse with them than with the shop's own. With `monitoring.mode` on that "
        "happens by itself, unless it is paused; `rankloop monitoring show` says whether it is, and which versions are "
        f'held back. By hand: `rankloop monitoring hold {champion} --reason "…"`.'
    )


def _look_first(found: Sequence[Finding], rows: Rows, suspects: Sequence[Suspect], places: Sequence[str]) -> str:
    """Where to begin: what was found bad comes before what is only suspected."""
    features = [one.subject for one in found if one.signal == "feature" and one.subject != ALL]
    features += [one.feature for one in suspects if one.psi >= CALM_PSI]
    segments = [one.subject for one in found if one.role in {"performance", "concept"} and one.subject != ALL]
    looks = ["the drift report, where there is one (under Read on)"] if rows.get(DRIFT) else []
    looks += [f"the {one.subject} that are new" for one in found if one.rule == "catalogue"]
    for kind, names in (("features", features), ("segments", [*segments, *places])):
        if names:
            looks.append(f"the {kind} {', '.join([*dict.fromkeys(names)][:MOST_PLACES])}")
    return f"Look first at {'; '.join(looks or ['what is wrong, below'])}."


def _places(rows: Rows) -> dict[str, str]:
    """By segment, the worst of the newest day: where the whole interval lies away from what is expected."""
    found = [
        (-abs(row["value"]), row["subject"], f"{row['value']:+.0%} clicks against the expected")
        for row in _segments(rows.get(CONCEPT, ()), "residual")
        if row["low"] > 0 or row["high"] < 0
    ]
    for row in _segments(rows.get(PERFORMANCE, ()), "reranked"):
        if known(row["expected"]) and row["high"] < row["expected"]:
            fall = row["value"] / row["expected"] - 1
            found.append((fall, row["subject"], f"{metric(row['measure'])} {fall:+.0%} against the promised"))
    worst: dict[str, str] = {}
    for _, segment, text in sorted(found):
        worst.setdefault(segment, f"{segment}: {text}")
    return dict(list(worst.items())[:MOST_PLACES])


def _segments(rows: Iterable[Row], signal: str) -> list[Row]:
    """The rows of a signal's newest day that are of a segment and have an interval."""
    mine = [row for row in rows if row["signal"] == signal and known(row["value"])]
    newest = max((row[DAY] for row in mine), default=None)
    whole = (row for row in mine if known(row["low"]) and known(row["high"]))
    return [row for row in whole if row[DAY] == newest and row["subject"] != ALL]
