"""Whether a challenger is good enough for a person to be asked about it.

Each rule says what it looked at, its limit, and pass or fail in a sentence; docs/evaluation.md says why the rules are
what they are. The gate never promotes: it decides who is not worth asking about.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rankloop.ranking.comparison import ALL, Comparison, Delta, as_json, delta_of
from rankloop.ranking.scored import BASE
from rankloop.ranking.segments import segment_of
from rankloop.settings.gate import GateSettings
from rankloop.settings.training import GATE_METRICS

Mode = Literal["improvement", "refresh"]
Outcome = Literal["pass", "fail", "unsure", "not judged"]
METRIC, RECALL = GATE_METRICS
TITLES = {METRIC: "NDCG@10", RECALL: "recall@30"}


@dataclass(frozen=True)
class Rule:
    """One rule of the gate. The figure has to be above the limit; one that does not decide is there to be seen.

    `unsure` is a segment that is down by more than its floor as far as one sees, but may as well not be down at all;
    `not judged` one with too few lists to say. Neither stops a challenger, both belong before the person who answers.
    """

    name: str
    delta: Delta
    figure: float
    limit: float
    outcome: Outcome
    decides: bool
    why: str

    @property
    def segment(self) -> str:
        """The segment that the rule is about, empty where it is about all lists."""
        return "" if self.delta.segment == ALL else self.delta.segment

    @property
    def title(self) -> str:
        """What the rule is about, in a few words."""
        if self.segment:
            return segment_of(self.segment).title
        return {"evidence": "the number of lists", "recall": TITLES[RECALL]}.get(self.name, TITLES[METRIC])

    @property
    def sentence(self) -> str:
        """Return the rule, its figure, its limit and its result."""
        where = f"{self.title}: " if self.segment else ""
        aside = "" if self.decides else " (shown, does not decide)"
        return f"{where}{self.why}: {self.outcome}{aside}."


@dataclass(frozen=True)
class GateResult:
    """What the gate said of a challenger, rule by rule."""

    champion: str
    challenger: str
    mode: Mode
    because: str
    rules: tuple[Rule, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule that decides has failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Rule, ...]:
        """The rules that stop the challenger."""
        return tuple(rule for rule in self.rules if rule.decides and rule.outcome == "fail")

    @property
    def concerns(self) -> tuple[Rule, ...]:
        """What does not stop the challenger, but a person should look at."""
        return tuple(
            rule for rule in self.rules if rule.outcome == "unsure" or (rule.outcome == "fail" and not rule.decides)
        )

    @property
    def telling(self) -> tuple[Rule, ...]:
        """The rules on all lists, then the segments that do not simply pass, those that stop the challenger first."""
        order = ("fail", "unsure", "not judged")
        segments = [rule for rule in self.rules if rule.segment and rule.outcome != "pass"]
        segments.sort(key=lambda rule: (not rule.decides, order.index(rule.outcome)))
        return (*(rule for rule in self.rules if not rule.segment), *segments)

    @property
    def verdict(self) -> str:
        """The gate in one sentence."""
        against = "the shop's own ranking" if self.champion == BASE else "the champion"
        main = next(rule for rule in self.rules if rule.name in ("better", "no_worse"))
        delta = main.delta
        if math.isnan(delta.difference):
            return f"Rejected: no list says anything of the challenger against {against}."
        way = "up" if delta.difference >= 0 else "down"
        between = f"between {delta.lower:+.4f} and {delta.upper:+.4f}"
        sure = f"NDCG@10 is {way} by {abs(delta.difference):.4f} ({between}) against {against}"
        if not self.passed:
            few = [rule.title for rule in self.failures[:3]]
            more = f" and {len(self.failures) - 3} more" if len(self.failures) > 3 else ""  # noqa: PLR2004
            return f"Rejected: {sure}; it fails on {', '.join(few)}{more}."
        seen = f"; look at {', '.join(rule.title for rule in self.concerns)}" if self.concerns else ""
        kind = "Worth asking about" if self.mode == "improvement" else "Fit to refresh"
        return f"{kind}: {sure}{seen}."

    def to_json(self) -> str:
        """Return the result as JSON, with null for every unknown figure."""
        rules = [{**asdict(rule), "sentence": rule.sentence} for rule in self.rules]
        return as_json({**asdict(self), "rules": rules, "passed": self.passed, "verdict": self.verdict})

    @classmethod
    def from_json(cls, text: str) -> "GateResult":
        """Return the result that `to_json` wrote."""
        read: dict[str, Any] = json.loads(text)
        rules = tuple(_rule_of(rule) for rule in read["rules"])
        return cls(read["champion"], read["challenger"], read["mode"], read["because"], rules)


def judge(
    comparison: Comparison, settings: GateSettings, *, champion_age_days: int | None = None, drift: bool = False
) -> GateResult:
    """Judge a challenger by the gate's rules; `drift` says that drift asked for it, and no champion has no age."""
    mode, because = _mode(comparison, settings, champion_age_days, drift=drift)
    rules = (
        _evidence(comparison, settings),
        _main(comparison, settings, mode),
        _recall(comparison, settings, mode),
        *_segments(comparison, settings, mode),
    )
    return GateResult(comparison.champion, comparison.challenger, mode, because, rules)


def _mode(comparison: Comparison, settings: GateSettings, age: int | None, *, drift: bool) -> tuple[Mode, str]:
    if comparison.champion == BASE:
        return "improvement", "there is no champion yet: the shop's own ranking stands in"
    if drift:
        return "refresh", "drift asked for it"
    if age is not None and age > settings.refresh_days:
        return "refresh", f"the champion is {age} days old, more than {settings.refresh_days}"
    return "improvement", "a challenger has to be better than the champion"


def _evidence(comparison: Comparison, settings: GateSettings) -> Rule:
    delta = comparison.of(METRIC)
    enough = delta.lists >= settings.min_lists
    sentence = f"{delta.lists:,} test lists have a reaction; at least {settings.min_lists:,} are needed to say anything"
    outcome: Outcome = "pass" if enough else "fail"
    return Rule("evidence", delta, delta.lists, settings.min_lists, outcome, decides=True, why=sentence)


def _main(comparison: Comparison, settings: GateSettings, mode: Mode) -> Rule:
    name, limit = ("better", 0.0) if mode == "improvement" else ("no_worse", -settings.refresh_margin)
    return _bounded(name, comparison.of(METRIC), limit, comparison)


def _recall(comparison: Comparison, settings: GateSettings, mode: Mode) -> Rule:
    return _bounded(
        "recall", comparison.of(RECALL), -settings.recall_tolerance, comparison, decides=mode == "improvement"
    )


def _bounded(name: str, delta: Delta, limit: float, comparison: Comparison, *, decides: bool = True) -> Rule:
    """Return a rule that the lower bound must exceed `limit`; an unknown bound (NaN) fails."""
    sentence = f"{_change(delta, comparison)}; its lower bound has to be above {limit:g}"
    outcome: Outcome = "pass" if delta.lower > limit else "fail"
    return Rule(name, delta, delta.lower, limit, outcome, decides, sentence)


def _segments(comparison: Comparison, settings: GateSettings, mode: Mode) -> Iterator[Rule]:
    for delta in comparison.by_segment(METRIC):
        kind = delta.segment.partition("=")[0]
        floor = settings.segment_floors.get(delta.segment, settings.segment_floors.get(kind, settings.segment_floor))
        outcome: Outcome = "pass"
        sentence = f"{_change(delta, comparison)}; it may be down by {floor:g} at most"
        if delta.lists < settings.segment_lists:
            outcome = "not judged"
            sentence += f"; not judged below {settings.segment_lists:,} lists"
        elif delta.difference < -floor:
            outcome = "fail" if delta.upper < 0 else "unsure"
            sentence += "" if outcome == "fail" else "; but it may as well not be down at all"
        decides = mode == "improvement" and kind in settings.segment_kinds
        yield Rule("segment", delta, delta.difference, -floor, outcome, decides, sentence)


def _change(delta: Delta, comparison: Comparison) -> str:
    title = TITLES[delta.metric]
    if math.isnan(delta.difference):
        return f"{title} cannot be compared, no list has it"
    sure = f"{comparison.bootstrap.confidence:.0%} interval {delta.lower:+.4f} to {delta.upper:+.4f}"
    change = f"{delta.champion:.4f} -> {delta.challenger:.4f}, {delta.difference:+.4f}"
    return f"{title} {change} ({sure}, {delta.lists:,} lists)"


def _rule_of(read: dict[str, Any]) -> Rule:
    figure = math.nan if read["figure"] is None else read["figure"]
    delta = delta_of(read["delta"])
    return Rule(read["name"], delta, figure, read["limit"], read["outcome"], read["decides"], read["why"])
