"""What the lists of a day will come to, estimated on its evening, before anybody can know.

How scores and places turn into clicks is learned from the lists of the days just before, whose reactions are in; the
version that ranked the day scores them too, whoever ranked them then. From lists of its own, if they drew enough
clicks, else from all lists: a model's own first places hold what it thinks best of many candidates, and that is less
good than the same score promises in a list that somebody else chose. On the first days of a champion the estimate is
too high by that.

CTR@10 is the mean probability of the products in the first ten places. NDCG@10 hangs on which products are clicked, so
clicks are drawn by these probabilities, again and again. Each draw learns from buyers drawn anew and judges buyers
drawn anew, so that the interval covers what was learned, who came and what they happened to click: live results should
lie within it. What it cannot cover is a world that changed overnight, and that is what the `error` is for, which is
written with the day's performance. The table is one of its own, since both are written at different times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from rankloop.contracts.lake import CLEANED
from rankloop.features import product
from rankloop.features.build import lake_of
from rankloop.lake.tables import Lake
from rankloop.monitoring.click_model import cells
from rankloop.monitoring.measured import Measured, keep_measures
from rankloop.monitoring.shown import (
    buyers_of,
    by_anybody,
    by_version,
    of_policy,
    personalised,
    shown_lists,
    versions_shown,
)
from rankloop.ranking.metrics import Floats, Ints, Judged, divide, tally
from rankloop.ranking.model import Model
from rankloop.ranking.scored import OURS, ScoredLists
from rankloop.scoring.ranker import load_model_of, policy_of
from rankloop.settings import Settings

ESTIMATES = "monitoring/estimates"
ESTIMATED, ALL = "estimated", "all"
NAMES = ("ctr@10", "ndcg@10")
LEARNED_DAYS = 3
ENOUGH_CLICKS = 200
"""Clicks of its own lists below which a version learns from everybody's."""
DRAWS, RESAMPLES, SEED = 60, 20, 7
"""Models learned and clicks drawn; and how often the day's buyers are drawn for each."""
TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Learned:
    """Products whose clicks are known."""

    score: Floats
    position: Ints
    label: Ints
    buyer: Ints

    def levels(self) -> Floats:
        """Of those who click, the shares that leave it at that, put it into the cart, and order."""
        counted = np.bincount(self.label[self.label > 0], minlength=4)[1:4]
        return np.asarray(counted / max(counted.sum(), 1))


def measure_estimates(settings: Settings, day: date) -> dict[str, Any]:
    """Write what the lists of a day that our versions ranked will come to, or say why that cannot be told."""
    lake, before = lake_of(settings), day - timedelta(days=1)
    if day not in lake.days(CLEANED) or before not in lake.days(product.TABLE.name):
        return {"skipped": f"there are no events of {day}, or no features as of {before}"}
    found = [one for number in versions_shown(settings, day) for one in _of_version(settings, lake, day, number)]
    written = keep_measures(lake, ESTIMATES, day, found)
    return written if found else {"skipped": f"no list of {day} is ours, or nothing was clicked on the days before it"}


def _of_version(settings: Settings, lake: Lake, day: date, number: int) -> Iterator[Measured]:
    model = load_model_of(settings, number)
    if (learned := _learned(settings, lake, day, number, model)) is None:
        return
    share = settings.experiment.control_share
    ours = personalised(shown_lists(settings, day, by_version(number), {OURS: model}, judged=False), share)
    if not len(ours):
        return
    value, drawn = estimated(learned, ours)
    low, high = np.nanquantile(drawn, TAILS, axis=0)
    for column, name in enumerate(NAMES):
        known = (float(value[column]), float(low[column]), float(high[column]))
        yield Measured(ESTIMATED, ALL, name, *known, rows=len(ours), version=number)


def _learned(settings: Settings, lake: Lake, day: date, number: int, model: Model) -> Learned | None:
    """The lists of the newest days whose reactions were all in by the end of this one."""
    featured, cleaned = set(lake.days(product.TABLE.name)), set(lake.days(CLEANED))
    before = (day - timedelta(days=back) for back in range(1, LEARNED_DAYS + 1))
    days = [one for one in before if one in cleaned and one - timedelta(days=1) in featured]
    lists = [shown_lists(settings, one, by_anybody, {OURS: model}) for one in days]
    own = [personalised(of_policy(one, policy_of(number)), settings.experiment.control_share) for one in lists]
    for some in (own, lists):
        clicks = sum(int((one.label > 0).sum()) for one in some)
        if clicks >= (ENOUGH_CLICKS if some is own else 1):
            return _together(some)
    return None


def _together(lists: list[ScoredLists]) -> Learned:
    columns = {name: np.concatenate([one.table[name].to_numpy() for one in lists]) for name in KEPT}
    buyer = np.unique(columns["account_id"], return_inverse=True)[1]
    return Learned(columns[OURS], columns["position"], columns["label"], buyer)


KEPT = ("account_id", "position", "label", OURS)


def estimated(learned: Learned, lists: ScoredLists) -> tuple[Floats, Floats]:
    """What these lists will come to by each of `NAMES`, and the same drawn again and again."""
    random = np.random.default_rng(SEED)
    laid, clicked, levels = cells(learned.score, learned.position), learned.label > 0, learned.levels()
    buyers, score, position = buyers_of(lists), lists.score(OURS), lists.table["position"].to_numpy()
    likely = laid.fit(clicked, np.ones(len(clicked))).apply(score, position)
    drawn = []
    for _ in range(DRAWS):
        times = np.bincount(random.integers(0, learned.buyer.max() + 1, learned.buyer.max() + 1), minlength=1)
        weight = np.pad(times, (0, learned.buyer.max() + 1 - len(times)))[learned.buyer].astype(np.float64)
        again = laid.fit(clicked, weight).apply(score, position)
        drawn.append(_drawn(random, again, levels, lists, buyers))
    # Which products are clicked is drawn; how many will be among the first ten is known from the probabilities.
    top = position <= 10  # noqa: PLR2004  (CTR@10)
    value = np.array([likely[top].mean(), np.nanmean([part[0, 1] for part in drawn])])
    return value, np.concatenate([part[1:] for part in drawn])


def _drawn(random: np.random.Generator, likely: Floats, levels: Floats, lists: ScoredLists, buyers: Ints) -> Floats:
    """The metrics if buyers click by these probabilities: first of all buyers, then of buyers drawn anew."""
    label = np.where(random.random(len(likely)) < likely, 1 + _level(random, levels, len(likely)), 0)
    came = tally(-lists.table["position"].to_numpy().astype(np.float64), Judged(label, lists.sizes), NAMES)
    count = int(buyers.max()) + 1
    sides = [np.stack([np.bincount(buyers, c, count) for c in side.T], axis=1) for side in (came.part, came.whole)]
    times = [np.bincount(random.integers(0, count, count), minlength=count) for _ in range(RESAMPLES)]
    often = np.stack([np.ones(count), *times]).astype(np.float64)
    return divide(often @ sides[0], often @ sides[1])


def _level(random: np.random.Generator, levels: Floats, count: int) -> Ints:
    return np.searchsorted(np.cumsum(levels)[:-1], random.random(count), side="right")
