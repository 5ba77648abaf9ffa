"""Measures concept drift: whether buyers still like what the champion learned, once their reactions are complete.

`fresh`: a small model that learned from the days just before, and the champion, rank the same lists; `value` is how
much NDCG@10 the small one has more, with an interval. It has seen less than the champion, so on quiet days it is no
better; where all of the interval lies above zero, recent days teach something that the champion does not know. A change
of taste shows only once some of the days that it learns from came after it. A champion that had few lists to learn from
is beaten on quiet days too: then there is more to learn, and nothing has moved.

`residual`: by segment, the clicks that came over those expected from the champion's scores, against the same on the
test lists of its own training, less 1, so it says what has changed since then. A change of all segments
alike is one of demand; one that pulls them apart is one of taste.

Both look only at lists that the shop ranked itself. Where the champion's own order was shown, clicks follow it because
it was shown, and no other model could ever look better.
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc

from rankloop.champions.current import current_champion
from rankloop.context import Context
from rankloop.contracts.lake import CLEANED
from rankloop.features.catalogue import load_catalogue
from rankloop.features.families import product
from rankloop.monitoring.measure.click_model import fit_click_model
from rankloop.monitoring.measure.expected_lists import expected_lists, training_of_version
from rankloop.monitoring.measure.lists_shown import (
    ListReader,
    base_lists,
    buyer_numbers,
    open_list_reader,
    zero_parts,
)
from rankloop.monitoring.measure.live_results import ALL, BOOTSTRAP, why_incomplete
from rankloop.monitoring.measure.measurements import Measurement, write_measurements
from rankloop.monitoring.measure.tables import CONCEPT
from rankloop.ranking.comparison import intervals
from rankloop.ranking.fitting import fit_options, sampled
from rankloop.ranking.lists import prepare_lists
from rankloop.ranking.metrics import Bools, Floats, Ints, Tally, tally
from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import learn
from rankloop.ranking.rankers.registry import ranker_kind
from rankloop.ranking.scored import OURS, ScoredLists
from rankloop.ranking.segments import Segment, segments
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.windows import TRAIN, VALID, Windows
from rankloop.scoring.ranker import load_version_model
from rankloop.settings.training import XGBOOST, TrainingSettings

FRESH, RESIDUAL = "fresh", "residual"
NDCG, CALIBRATION = "ndcg@10", "calibration"
LEARNED_DAYS = 4
"""Days before the measured one that the small model learns from; the last of them is for early stopping."""
FEWEST_DAYS = 2
TREES = {"num_boost_round": 150, "early_stopping_rounds": 20}
SHAPE = {**XGBOOST.fix_params, "max_depth": 2, "learning_rate": 0.15, "negatives": 0}
"""Shallow trees on complete lists: of what was tried they learned the most from so few days."""
SCORE = "fresh_score"
FEWEST_CLICKS = 10
"""Expected clicks below which a segment is left out."""


def measure_concept(context: Context, day: date) -> dict[str, Any]:
    """Write whether the champion still knows what buyers like, or return why that cannot be told."""
    lake, reader = context.lake, open_list_reader(context)
    if why := why_incomplete(lake, day):
        return {"skipped": why}
    if (number := _version(context, reader, day)) is None:
        return {"skipped": f"no version of ours ranks as of {day}"}
    models = {OURS: load_version_model(context.registry, number)}
    if data := _recent_lists(context, day):
        models[SCORE] = _fitted(context.settings.training, data)
    lists = reader.lists(day, base_lists, models)
    evaluated = expected_lists(training_of_version(context, number), number)
    measurements = [*_gain(lists, number), *_residuals(lists, evaluated, number)]
    written = write_measurements(lake, CONCEPT, day, measurements)
    return (
        written if measurements else {"skipped": f"too little was clicked in the shop's own lists of {day} and before"}
    )


def _version(context: Context, reader: ListReader, day: date) -> int | None:
    """Return the version that ranked the day, so that measuring it again agrees; without one, the champion's."""
    if shown := reader.versions(day):
        return shown[0]
    now = current_champion(context.state, context.registry)
    return now.number if now else None


# What recent days teach


def _recent_lists(context: Context, day: date) -> TrainingSet | None:
    """Open the lists of the days just before; None where they are too few, or nothing was clicked in them."""
    featured, cleaned = set(context.lake.days(product.TABLE.name)), set(context.lake.days(CLEANED))
    before = [day - timedelta(days=back) for back in range(LEARNED_DAYS, 0, -1)]
    days = [other for other in before if other in cleaned and other - timedelta(days=1) in featured]
    if len(days) < FEWEST_DAYS:
        return None
    for other in days:
        prepare_lists(context.feature_store, context.settings.training, lambda: context.engine, other)
    features = load_catalogue(context.settings.features).feature_names
    data = open_training_set(context.lake, Windows(day, tuple(days[:-1]), tuple(days[-1:]), ()), features=features)
    if not all(data.counts(name)["lists_with_reaction"] for name in (TRAIN, VALID)):
        return None
    return data


def _fitted(training: TrainingSettings, data: TrainingSet) -> Model:
    preprocessing = learn(training.preprocessing, data.columns(TRAIN, data.features))
    small = training.model_copy(
        update={
            "debias": "none",
            "ranker": "xgboost",
            # Beside the other measures of the day a second thread mostly waits for the first, and takes time doing so.
            "threads": 1,
            "xgboost": XGBOOST.model_copy(update={"fix_params": SHAPE, "fit_params": TREES}),
        }
    )
    train, valid = (sampled(small, data, preprocessing, name) for name in (TRAIN, VALID))
    ranker = ranker_kind("xgboost").fit(train, valid, fit_options(small, preprocessing, SHAPE))
    return Model("xgboost", preprocessing, ranker)


def _gain(lists: ScoredLists, number: int) -> Iterator[Measurement]:
    """Yield how much better the small model ranks than the champion."""
    if SCORE not in lists.table.column_names or not lists.reacted.any():
        return
    fresh, champion = (tally(lists.score(name), lists.judged, (NDCG,)) for name in (SCORE, OURS))
    low, high = intervals(fresh, champion, BOOTSTRAP, stream=FRESH, groups=buyer_numbers(lists))
    value = fresh.means()[NDCG] - champion.means()[NDCG]
    yield Measurement(FRESH, ALL, NDCG, value, float(low[0]), float(high[0]), 0.0, int(lists.reacted.sum()), number)


# What the champion's scores promise


def _residuals(lists: ScoredLists, judged_on: ScoredLists | None, number: int) -> Iterator[Measurement]:
    """Clicks over what the champion's scores and the places let expect, less 1, over all lists and by segment."""
    if judged_on is None or not lists.reacted.any():
        return
    score, position = judged_on.score(OURS), judged_on.table["position"].to_numpy()
    curve = fit_click_model(score, position, judged_on.label > 0, judged_on.row_weight)
    likely, then = (
        curve.apply(scored.score(OURS), scored.table["position"].to_numpy()) for scored in (lists, judged_on)
    )
    for segment in (None, *segments(lists)):
        now, before = _clicks(lists, likely, segment), _clicks(judged_on, then, segment)
        if min(side.whole.sum() for side in (now, before)) >= FEWEST_CLICKS:
            subject = segment.name if segment else ALL
            rows = int(_members(lists, segment).sum())
            figures = relative_calibration(subject, (now, buyer_numbers(lists)), (before, buyer_numbers(judged_on)))
            yield Measurement(RESIDUAL, subject, CALIBRATION, *figures, 0.0, rows, number)


def _members(lists: ScoredLists, segment: Segment | None) -> Bools:
    """Return which products belong to a segment; all of them where none is named."""
    if segment is None:
        return np.ones(len(lists.label), dtype=bool)
    column = lists.table[f"segment_{segment.kind}"]
    return np.asarray(pc.fill_null(pc.equal(column, segment.value), fill_value=False).to_numpy(), dtype=bool)


def _clicks(lists: ScoredLists, likely: Floats, segment: Segment | None) -> Tally:
    """Return by list the clicks that came, and those that were to be expected."""
    by_list, weight = np.repeat(np.arange(len(lists)), lists.sizes), lists.row_weight * _members(lists, segment)
    came, expected = (
        np.bincount(by_list, value * weight, len(lists)).astype(np.float64)[:, None]
        for value in (lists.label > 0, likely)
    )
    return Tally((CALIBRATION,), came, expected)


def relative_calibration(subject: str, *sides: tuple[Tally, Ints]) -> tuple[float, float, float]:
    """Return clicks over expected clicks, relative to the test lists, less 1; with the uncertainty of both.

    The curve is one for all segments, so a segment may be off on its own test lists, and stays so on quiet days.
    """
    ratio, below, above = 1.0, 0.0, 0.0
    for (clicks, buyers), now in zip(sides, (True, False), strict=True):
        value = clicks.means()[CALIBRATION]
        low, high = (
            float(bound[0])
            for bound in intervals(clicks, zero_parts(clicks), BOOTSTRAP, stream=f"{RESIDUAL} {subject}", groups=buyers)
        )
        if not value:
            return (-1.0, -1.0, -1.0) if now else (math.nan, math.nan, math.nan)
        down, up = (value - low) / value, (high - value) / value
        ratio = ratio * value if now else ratio / value
        below, above = (math.hypot(below, down if now else up), math.hypot(above, up if now else down))
    return ratio - 1, ratio * max(0.0, 1 - below) - 1, ratio * (1 + above) - 1
