"""From the rows of the last days to what is wrong: the measures that break the policy, and for how many days."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from rankloop.contracts.lake import DAY
from rankloop.monitoring.measure.measures import DRIFT, QUALITY
from rankloop.monitoring.policy.rules import LATER, LOOKS, Look, Role, Row, interval, known
from rankloop.settings.monitoring import Inputs, MonitoringSettings, Rule, Severity

ALL = "all"
Rows = Mapping[str, Sequence[Row]]
"""By table."""


class Finding(BaseModel):
    """Something that breaks a line of the policy."""

    model_config = ConfigDict(frozen=True)

    rule: str
    role: Role
    table: str
    signal: str
    subject: str
    measure: str
    severity: Severity
    days: tuple[date, ...]
    """The bad ones that were looked at, oldest first."""
    needed: int
    of: int
    standing: bool
    """Whether the newest day is one of them."""
    persistent: bool
    """Whether it also has been there for as many days as the policy wants."""
    value: float
    low: float | None = None
    high: float | None = None
    expected: float | None = None
    threshold: float
    rows: int


def counted(rows: Rows, version: int | None) -> Rows:
    """The rows that say something now: of models only what the champion did, so that a promotion begins anew.

    What is wrong with data stays wrong whoever ranks.
    """
    return {
        table: [row for row in found if table == QUALITY or (version is not None and row["version"] == version)]
        for table, found in rows.items()
    }


def find(rows: Rows, policy: MonitoringSettings, importance: Mapping[str, float], day: date) -> tuple[Finding, ...]:
    """Everything in these rows that breaks the policy as of a day, in an order of its own.

    What was wrong with data is told even if it is over: it may be why something else is still bad.
    """
    found = [finding for look in LOOKS for finding in _of_look(look, _rows_for(look, rows, policy), policy, day)]
    found += _of_inputs(rows.get(DRIFT, ()), policy, importance, day)
    return tuple(sorted(found, key=lambda one: (one.rule, one.table, one.signal, one.subject, one.measure)))


def _rows_for(look: Look, rows: Rows, policy: MonitoringSettings) -> Sequence[Row]:
    """The rows of a look's table; to `feature` without features of demand, and without those that are still by KS.

    Where few values hold much, as those of sixty shops, one that goes to the next bin is a great PSI and no move.
    """
    found = rows.get(look.table, ())
    if look.rule != "feature":
        return found
    found = [row for row in found if not any(fnmatchcase(row["subject"], one) for one in policy.feature.demand)]
    times = policy.feature.times_usual
    by_ks = (row for row in found if row["measure"] == "ks" and known(row["value"]) and known(row["expected"]))
    still = {(row[DAY], row["subject"]) for row in by_ks if row["value"] <= times * row["expected"]}
    return [row for row in found if (row[DAY], row["subject"]) not in still]


def _of_look(look: Look, rows: Iterable[Row], policy: MonitoringSettings, day: date) -> Iterator[Finding]:
    """What one line of the policy finds, by subject and measure."""
    rule, window = policy.rule(look.rule), _window(policy, look, day)
    taken = [row for row in rows if look.takes(row) and row["rows"] >= rule.min_rows and _meant(look, row, policy)]
    looks = Counter((row[DAY], row["subject"] == ALL) for row in taken)
    bad: dict[tuple[str, str], dict[date, Row]] = defaultdict(dict)
    for row in taken:
        within = interval(row, policy.confidence, looks[row[DAY], row["subject"] == ALL])
        if row[DAY] in window and look.broken(row, within, rule.threshold):
            bad[row["subject"], row["measure"]][row[DAY]] = row
    for found in bad.values():
        finding = _finding(look, rule, window, found)
        if finding.standing or look.role == "data":
            yield finding


def _meant(look: Look, row: Row, policy: MonitoringSettings) -> bool:
    """Jumps are looked for in amounts alone: a mean near nothing jumps every day. Counts rise; codes are given out.

    What is sent every day may well be more tomorrow; what a catalogue holds stays.
    """
    patterns = {
        "jump": policy.jump.amounts,
        "new_values": policy.new_values.codes,
        "catalogue": policy.catalogue.sources,
    }
    return any(fnmatchcase(row["subject"], pattern) for pattern in patterns.get(look.rule, ("*",)))


def _window(policy: MonitoringSettings, look: Look, day: date) -> list[date]:
    """The days that count, the newest last."""
    newest = day - timedelta(days=LATER[look.table])
    # What was wrong with data explains what is bad for as long as any rule looks back.
    back = policy.looks_back if look.role == "data" else policy.rule(look.rule).of
    return [newest - timedelta(days=before) for before in reversed(range(back))]


def _finding(look: Look, rule: Rule, window: Sequence[date], found: Mapping[date, Row]) -> Finding:
    row = found[max(found)]
    standing = window[-1] in found
    enough = len(found.keys() & set(window[-rule.of :])) >= rule.days
    of_all = row["subject"] == ALL or look.role in {"data", "inputs", "outputs"}
    return Finding(
        rule=look.rule,
        role=look.role,
        table=look.table,
        signal=look.signal,
        subject=row["subject"],
        measure=row["measure"],
        # One segment is no reason to train for everybody, or to fall back.
        severity=rule.severity if of_all else "alert",
        days=tuple(sorted(found)),
        needed=rule.days,
        of=rule.of,
        standing=standing,
        persistent=standing and enough,
        value=row["value"],
        low=row["low"],
        high=row["high"],
        expected=row["expected"],
        threshold=rule.threshold,
        rows=row["rows"],
    )


def _of_inputs(
    rows: Iterable[Row], policy: MonitoringSettings, importance: Mapping[str, float], day: date
) -> Iterator[Finding]:
    """Whether so many features have drifted that they make up enough of what the champion goes by."""
    rule, look = policy.inputs, Look("inputs", "inputs", DRIFT, "feature", ("psi",), lambda *_: False)
    window = _window(policy, look, day)
    by_day: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        if look.takes(row) and row["rows"] >= rule.min_rows and row[DAY] in window:
            by_day[row[DAY]].append(row)
    bad = {}
    for when, found in by_day.items():
        share = drifted_share(found, rule, importance)
        if share >= rule.share:
            rows_behind = min(row["rows"] for row in found)
            bad[when] = {"subject": ALL, "measure": "share", "value": share, "rows": rows_behind}
    if window[-1] in bad:
        empty = {"low": None, "high": None, "expected": None}
        shares = {when: row | empty for when, row in bad.items()}
        yield _finding(look, rule, window, shares).model_copy(update={"threshold": rule.share})


def drifted_share(rows: Iterable[Row], rule: Inputs, importance: Mapping[str, float]) -> float:
    """Which share of the importance of the measured features those have that drifted; of features alike if unknown."""
    drifted = {}
    for row in rows:
        usual = row["expected"] if known(row["expected"]) else 0.0
        drifted[row["subject"]] = row["value"] > max(rule.threshold, rule.times_usual * usual)
    weights = weights_of(drifted, importance)
    return sum(weight for name, weight in sorted(weights.items()) if drifted[name])


def weights_of(names: Iterable[str], importance: Mapping[str, float]) -> dict[str, float]:
    """The share of each feature in the importance of all of these."""
    given = {name: max(importance.get(name, 0.0), 0.0) for name in sorted(names)}
    total = sum(given.values())
    return {name: weight / total if total else 1 / len(given) for name, weight in given.items()}
