"""How soon drift is found, what it is taken for, and how often nothing is: simulated months, beside Evidently's preset.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_detection.py [--scale 0.3] [--quiet 60]

A shop lives 26 days from `--first` on, trains a champion, and then 60 quiet days, by default over Tết and its weekends:
half of the buyers see the champion's rankings, made anew every third day, and each week a challenger is trained and
promoted if the gate lets it. Each day is measured and judged as `drift_checks` does. Estimates are left out, which lead
to no more than a watch. Meanwhile, on known days, the shop is copied, and in the copy a scenario begins, which is found
on the day whose verdict is the first to say alert, retrain or fall back. What buyers did is known a day later, so what
only that shows has one day less of ripe evidence than days.

Its peer is Evidently's `DataDriftPreset` with its defaults, on the samples that our report has of the same days: it
finds something when it says that the data set has drifted, which is when half of all columns have. On quiet days it is
asked every sixth. With `--home` what was measured is kept, and judged again by the policy as it is then.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from seeded import parse_seeded
from watched_shop import Shop, servers

from rankloop.calendar import days_between
from rankloop.champions.current import current_champion
from rankloop.context import Context, open_context
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.concept import measure_concept
from rankloop.monitoring.measure.drift import measure_drift, reference_on
from rankloop.monitoring.measure.performance import measure_performance
from rankloop.monitoring.measure.quality import measure_quality
from rankloop.monitoring.policy.findings import relevant_rows
from rankloop.monitoring.policy.judge import decide_verdict, feature_importance, judge_market_day, rows_until
from rankloop.monitoring.policy.rule_set import open_policy
from rankloop.monitoring.policy.verdict import Verdict
from rankloop.monitoring.report.drift_report import sample_day, sample_reference
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.gate import GateSettings
from rankloop.settings.scoring import ScoringSettings
from rankloop.settings.training import TrainingSettings
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.scenarios import Scenarios

HISTORY, WEEK = 26, 7
SCENARIOS = {
    "tet_campaign": "covariate shift",
    "taste_shift": "concept drift",
    "new_shop_wave": "covariate shift",
    "unit_bug": "data bug",
}
"""By scenario, what it should be taken for."""
LABELLED = {"taste_shift"}
"""What only shows in what buyers do."""
ALARMS = {"alert", "retrain", "fall back"}
DAYS = "days.jsonl"
TRAINING = TrainingSettings.model_validate(
    {
        "train_days": 7,
        "valid_days": 1,
        "test_blocks": 1,
        "test_block_days": 7,
        "max_iter": 0,
        "idle_share": 0.2,
        "threads": 1,
        "xgboost": {
            "fix_params": {"max_depth": 4},
            "fit_params": {"num_boost_round": 120, "early_stopping_rounds": 15},
        },
    }
)
GATE = GateSettings(
    confidence=0.51,
    resamples=200,
    min_lists=50,
    recall_tolerance=1.0,
    segment_floor=1.0,
    refresh_days=WEEK - 1,
    refresh_margin=0.03,
)
"""A small shop's week has too few lists for the real gate; that one is not what is measured here."""


@dataclass(frozen=True)
class Peer:
    """What Evidently says of a day."""

    drifted: bool
    columns: int
    of: int


@dataclass(frozen=True)
class Watched:
    """A day that was measured, and what was said of it."""

    shop: str
    day: date
    version: int | None
    state: str = ""
    kinds: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    peer: Peer | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def alarm(self) -> bool:
        """Whether somebody would be woken."""
        return self.state in ALARMS

    @classmethod
    def of(cls, shop: str, verdict: Verdict, **more: Any) -> "Watched":  # noqa: ANN401  (any field)
        """The day of a verdict."""
        findings = [finding for cause in verdict.causes for finding in cause.findings]
        said = (f"{one.rule}{'!' * one.persistent} {one.subject} {one.measure} {one.value:.3f}" for one in findings)
        kinds = tuple(cause.kind for cause in verdict.causes)
        return cls(shop, verdict.day, verdict.version, verdict.state, kinds, tuple(said), **more)


class Watch:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count what happens meanwhile."""
        began = time.perf_counter()
        yield
        self.seconds[what] = round(self.seconds.get(what, 0.0) + time.perf_counter() - began, 2)


def watched(shop: Shop, day: date, *, peer: bool) -> Watched:
    """Let a day come, measure and judge it."""
    before, watch = day - timedelta(days=1), Watch()
    with watch.on("live"):
        shop.live(day)
    work = {
        "drift": partial(measure_drift, day=day),
        "quality": partial(measure_quality, day=day),
        "performance": partial(measure_performance, day=before),
        "concept": partial(measure_concept, day=before),
        "judge": partial(judge_market_day, day=day),
        "peer": partial(peer_on, day=day) if peer else lambda _: None,
    }
    results = {}
    for name, do in work.items():
        # As its task does, each opens what it works with.
        with watch.on(name), open_context(shop.settings) as context:
            results[name] = do(context)
    return Watched.of(shop.settings.home.name, results["judge"], peer=results["peer"], seconds=watch.seconds)


def peer_on(context: Context, day: date) -> Peer | None:
    """What Evidently's preset says of the samples of a day."""
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  (takes seconds)
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    reference = reference_on(context, day)
    if isinstance(reference, str):
        return None
    now, before = sample_day(context, day, reference), sample_reference(reference, context.settings.drift.report_rows)
    columns = [name for name in before if before[name].notna().any() and now[name].notna().any()]
    kind = DataDefinition(numerical_columns=columns)
    sides = [Dataset.from_pandas(side[columns], data_definition=kind) for side in (now, before)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = json.loads(Report([DataDriftPreset()]).run(*sides).json())
    counted = next(one for one in made["metrics"] if "DriftedColumnsCount" in one["config"]["type"])
    share, limit = counted["value"]["share"], counted["config"]["drift_share"]
    return Peer(share >= limit, int(counted["value"]["count"]), len(columns))


@dataclass(frozen=True)
class Months:
    """A shop that lives quiet days, and copies of it to which something happens."""

    shop: Shop
    asked: argparse.Namespace

    def lived(self) -> Iterator[Watched]:
        """All of their days, one by one."""
        as_of, asked = self.asked.first + timedelta(days=HISTORY - 1), self.asked
        for day in days_between(asked.first, as_of):
            self.shop.live(day, features=day > as_of - timedelta(days=TRAINING.list_days + 3))
        self.train(as_of)
        self.shop.rank(as_of)
        apart = max(1, asked.quiet // 7)
        begins = {as_of + timedelta(days=1 + apart * (number + 1)): name for number, name in enumerate(SCENARIOS)}
        for number, day in enumerate(days_between(as_of + timedelta(days=1), as_of + timedelta(days=asked.quiet))):
            if day in begins:
                yield from self.happens(begins[day], day)
            yield watched(self.shop, day, peer=number % asked.peer_every == 0)
            if week := number % WEEK == WEEK - 1:
                self.train(day)
            if week or number % asked.rank_every == 0:
                self.shop.rank(day)

    def happens(self, name: str, first: date) -> Iterator[Watched]:
        """Copy the shop, and let a scenario begin in the copy; the champion stays the same for these few days."""
        shop = self.shop.branch(self.shop.settings.home.with_name(name), Scenarios({name: first}))
        for number in range(self.asked.days):
            day = first + timedelta(days=number)
            yield watched(shop, day, peer=True)
            if number % self.asked.rank_every == 0:
                shop.rank(day)

    def train(self, day: date) -> None:
        """Train, and note what the new champion goes by."""
        if number := self.shop.train(day):
            with open_context(self.shop.settings) as context:
                champion = current_champion(context.state, context.registry)
                goes_by = feature_importance(context.registry, champion)
            importance_in(self.shop.settings.home.parent, number).write_text(json.dumps(goes_by))


def importance_in(folder: Path, number: int | None) -> Path:
    """Where it is noted what a version goes by."""
    return folder / f"importance-{number}.json"


def live_in(folder: Path, asked: argparse.Namespace) -> None:
    """Live all days, and note what was said of each."""
    with servers(folder, asked.port) as (mlflow, mongo), (folder / DAYS).open("a", encoding="utf-8") as kept:
        settings = settings_in(folder, mlflow, mongo)
        place = Marketplace(asked.seed, asked.scale, asked.first, settings.timezone, dirt=False)
        for one in Months(Shop(settings, place), asked).lived():
            kept.write(json.dumps(asdict(one), default=str) + "\n")
            kept.flush()
            print(one.day, one.shop, one.state, *one.rules, sum(one.seconds.values()), flush=True)


def judged_in(folder: Path) -> dict[str, list[Watched]]:
    """By shop, its days, judged by the policy as it is now from what was measured."""
    policy, found = open_policy(Settings(home=folder).monitoring), defaultdict(list)
    for line in (folder / DAYS).read_text(encoding="utf-8").splitlines():
        kept = json.loads(line)
        day, shop, version, peer = date.fromisoformat(kept["day"]), kept["shop"], kept["version"], kept["peer"]
        rows = relevant_rows(rows_until(Lake(str(folder / shop / "lake")), day, policy), version)
        importance = json.loads(importance_in(folder, version).read_text())
        verdict = decide_verdict(rows, policy, importance, (), day=day, version=version)
        found[shop].append(Watched.of(shop, verdict, peer=Peer(**peer) if peer else None))
    return found


def print_scenarios(found: Mapping[str, Sequence[Watched]]) -> None:
    """A row a scenario."""
    print("\n| scenario | begins | found on day | days of ripe evidence | verdict | taken for | Evidently finds it |")
    print("| --- | --- | ---: | ---: | --- | --- | --- |")
    for name, right in SCENARIOS.items():
        days = found[name]
        first, columns = days[0].day, [one.peer.columns for one in days if one.peer]
        theirs = next((f"on day {(one.day - first).days + 1}" for one in days if one.peer and one.peer.drifted), "")
        theirs = theirs or f"not in {len(days)} days: {min(columns)} to {max(columns)} columns"
        alarm = next((one for one in days if one.alarm), None)
        if alarm is None:
            print(f"| `{name}` | {first:%a %F} | not in {len(days)} days | | | | {theirs} |")
            continue
        number, kind = (alarm.day - first).days + 1, alarm.kinds[0]
        taken = f"{kind}, {'right' if kind == right else f'wrong: it is {right}'}"
        cells = (f"`{name}`", f"{first:%a %F}", number, number - (name in LABELLED), alarm.state, taken, theirs)
        print(f"| {' | '.join(map(str, cells))} |")


def print_quiet(days: Sequence[Watched]) -> None:
    """What was said of quiet days."""
    peers, alarms = [one.peer for one in days if one.peer], [one for one in days if one.alarm]
    incidents = sum((one.day - before.day).days > 1 for before, one in pairwise(alarms)) + bool(alarms)
    print("\n| quiet days | looked at | with an alarm | false alarms | in 30 days | with watch |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    watch = sum(one.state == "watch" for one in days)
    print(f"| Rankloop | {len(days)} | {len(alarms)} | {incidents} | {30 * incidents / len(days):.1f} | {watch} |")
    drifted, counts = sum(one.drifted for one in peers), [one.columns for one in peers]
    print(f"| Evidently | {len(peers)} | {drifted} | | {30 * drifted / len(peers):.1f} | |")
    middle = f"{statistics.median(counts):.0f} of {peers[0].of} columns in the median, {max(counts)} at most"
    print(f"\nOn quiet days Evidently calls {middle} drifted.")
    for one in days:
        if one.state != "ok":
            print(f"- {one.day:%a %F} {one.state}: {', '.join(one.kinds)}; {'; '.join(one.rules)}")


def settings_in(folder: Path, mlflow: str, mongo: Any) -> Settings:  # noqa: ANN401  (a secret)
    """Settings of the shop, on one core."""
    return Settings(
        home=folder / "shop",
        mlflow_uri=mlflow,
        mongo_uri=mongo,
        training=TRAINING,
        gate=GATE,
        scoring=ScoringSettings(top_n=100, candidates=120, explore=10),
        features=FeatureSettings(threads=1),
    )


def main() -> None:
    """Live, watch, print."""
    given = argparse.ArgumentParser()
    given.add_argument("--scale", type=float, default=0.3)
    given.add_argument("--quiet", type=int, default=60)
    given.add_argument("--days", type=int, default=5, help="days that each scenario lasts")
    given.add_argument("--rank-every", type=int, default=3, help="days from one ranking to the next")
    given.add_argument("--peer-every", type=int, default=6, help="quiet days from one to the next that Evidently sees")
    given.add_argument("--port", type=int, default=21200, help="MLflow's; MongoDB has the one after it")
    given.add_argument("--home", type=Path, help="where all of it is kept; if it is there, it is judged again")
    given.add_argument(
        "--first", type=date.fromisoformat, default=date(2026, 11, 22), help="the shop's first day; default %(default)s"
    )
    asked, began = parse_seeded(given), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as name:
        folder = asked.home or Path(name)
        if not (folder / DAYS).exists():
            live_in(folder, asked)
        found = judged_in(folder)
    print_scenarios(found)
    print_quiet(found["shop"])
    shop = f"seed {asked.seed}, from {asked.first}, scale {asked.scale}"
    print(f"\nThe shop: {shop}; {(time.perf_counter() - began) / 60:.0f} minutes.")


if __name__ == "__main__":
    main()
