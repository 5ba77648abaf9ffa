"""Estimates the performance of a day's lists on its evening, before reactions are complete.

How scores and places turn into clicks is learned from lists of ours of the days just before, whose reactions are in;
the version that ranked the day scores them too, whichever version ranked them then. Lists that the shop ranked teach
nothing here: ours are made of products with higher scores than theirs ever hold, and on the first day of the first
champion an estimate from theirs was less than half of what came. So that day has none.

Clicks are drawn by these probabilities, again and again. A list has one buyer, in one mood, so its clicks go together
more than if each were drawn by itself, which makes NDCG higher than drawn; by how much is seen on the lists that were
learned from, and added. Each draw learns from new samples of buyers and judges new samples, so that the interval
covers what was learned, who came and what they happened to click: live results should lie within it. What it cannot
cover is a world that changed overnight, and that is what the `error` is for, which is written with the day's
performance. The table is one of its own, since both are written at different times. `expected` is the result of the
lists that were learned from: below it, the day's lists hold products that suit their buyers less.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.context import Context
from rankloop.contracts.lake import CLEANED
from rankloop.features.families import product
from rankloop.monitoring.measure.click_model import ClickModel, click_cells
from rankloop.monitoring.measure.lists_shown import (
    ListReader,
    buyer_numbers,
    lists_of_models,
    lists_of_version,
    open_list_reader,
    without_control,
)
from rankloop.monitoring.measure.measurements import Measurement, write_measurements
from rankloop.ranking.metrics import Floats, Ints, Judged, Tally, divide, tally
from rankloop.ranking.model import Model
from rankloop.ranking.scored import OURS, ScoredLists, scored_lists
from rankloop.scoring.ranker import load_version_model

ESTIMATES = "monitoring/estimates"
ESTIMATED, ALL = "estimated", "all"
NAMES = ("ctr@10", "ndcg@10")
LEARNED_DAYS = 3
ENOUGH_CLICKS = 100
"""Clicks in our lists below which there is too little to learn from."""
DRAWS, RESAMPLES, SEED = 60, 20, 7
"""Draws of models and clicks, and resamples of the day's buyers for each."""
TAILS = (0.025, 0.975)


def measure_estimates(context: Context, day: date) -> dict[str, Any]:
    """Write the estimated performance of the day's lists that our versions ranked, or return why there is none."""
    lake, before = context.lake, day - timedelta(days=1)
    if day not in lake.days(CLEANED) or before not in lake.days(product.TABLE.name):
        return {"skipped": f"there are no events of {day}, or no features as of {before}"}
    reader, control_share = open_list_reader(context), context.settings.experiment.control_share
    measurements: list[Measurement] = []
    for number in reader.versions(day):
        measurements += _of_version(reader, day, number, load_version_model(context.registry, number), control_share)
    written = write_measurements(lake, ESTIMATES, day, measurements)
    why = f"no list of {day} is ours, or lists of ours had too few clicks on the {LEARNED_DAYS} days before"
    return written if measurements else {"skipped": why}


def _of_version(
    reader: ListReader, day: date, number: int, model: Model, control_share: float
) -> Iterator[Measurement]:
    lists = without_control(reader.lists(day, lists_of_version(number), {OURS: model}, labelled=False), control_share)
    if not len(lists) or (learned := _learned(reader, day, model, control_share)) is None:
        return
    value, drawn = estimate_metrics(learned, lists)
    low, high = np.nanquantile(drawn, TAILS, axis=0)
    before = _tally(learned, learned.label, np.ones(len(learned))).means()
    for column, name in enumerate(NAMES):
        figures = (float(value[column]), float(low[column]), float(high[column]), before[name])
        yield Measurement(ESTIMATED, ALL, name, *figures, rows=len(lists), version=number)


def _learned(reader: ListReader, day: date, model: Model, control_share: float) -> ScoredLists | None:
    """Return our newest lists whose reactions were all in by the end of this day; None where clicks are few."""
    featured, cleaned = set(reader.lake.days(product.TABLE.name)), set(reader.lake.days(CLEANED))
    before = (day - timedelta(days=back) for back in range(1, LEARNED_DAYS + 1))
    days = [other for other in before if other in cleaned and other - timedelta(days=1) in featured]
    lists = [without_control(reader.lists(other, lists_of_models, {OURS: model}), control_share) for other in days]
    if sum(int((other.label > 0).sum()) for other in lists) < ENOUGH_CLICKS:
        return None
    return scored_lists(pa.concat_tables([other.table for other in lists]))


def estimate_metrics(learned: ScoredLists, lists: ScoredLists) -> tuple[Floats, Floats]:
    """Return the estimate of each of `NAMES` for these lists, and its bootstrap distribution."""
    random = np.random.default_rng(SEED)
    cells, levels = click_cells(learned.score(OURS), _position(learned)), _levels(learned.label)
    teachers, visitors = buyer_numbers(learned), buyer_numbers(lists)
    values, drawn = [], []
    for _ in range(DRAWS):
        weight = _drawn_buyers(random, teachers)[teachers]
        model = cells.fit(learned.label > 0, np.repeat(weight, learned.sizes))
        measured = _tally(learned, learned.label, weight).means()
        modelled = _tally(learned, _clicks(random, model, levels, learned), weight).means()
        correction = np.array([measured[name] - modelled[name] for name in NAMES])
        parts = _tally(lists, _clicks(random, model, levels, lists), np.ones(len(lists)))
        values.append(np.array(list(parts.means().values())) + correction)
        often = np.stack([_drawn_buyers(random, visitors)[visitors] for _ in range(RESAMPLES)])
        drawn.append(divide(often @ parts.part, often @ parts.whole) + correction)
    return np.nanmean(values, axis=0), np.concatenate(drawn)


def _position(lists: ScoredLists) -> Ints:
    return np.asarray(lists.table["position"].to_numpy())


def _drawn_buyers(random: np.random.Generator, buyers: Ints) -> Floats:
    """Draw as many buyers as there are, with replacement, and return how often each was drawn."""
    count = int(buyers.max()) + 1
    return np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)


def _tally(lists: ScoredLists, label: Ints, weight: Floats) -> Tally:
    """Sum the metrics of these labels by list, in the order shown."""
    return tally(-_position(lists).astype(np.float64), Judged(label, lists.sizes, weight), NAMES)


def _levels(label: Ints) -> Floats:
    """Return the cumulative shares of clicked products that stay so, get into the cart, and are ordered."""
    counted = np.bincount(label[label > 0], minlength=4)[1:4]
    return np.asarray(np.cumsum(counted) / counted.sum())


def _clicks(random: np.random.Generator, model: ClickModel, levels: Floats, lists: ScoredLists) -> Ints:
    """Labels drawn by the probabilities."""
    likely = model.apply(lists.score(OURS), _position(lists))
    level = 1 + np.searchsorted(levels[:-1], random.random(len(likely)), side="right")
    return np.asarray(np.where(random.random(len(likely)) < likely, level, 0))
