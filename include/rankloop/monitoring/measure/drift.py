"""Whether a day's lists are of the population that the champion was judged on: feature by feature, score, and whole.

What is compared. The reference is a sample of the lists of the champion's test days. Our own batch would differ from
it on the quietest day: it holds the hundred best of each buyer, chosen by us, and the reference what the shop showed.
So the day's lists are those that the shop ranked itself, on all surfaces, of the control group alone where there is
one, and of the reference the same buyers' rows are taken. Nothing in either was chosen by the champion, and weights of
the reference make up for idle lists that training leaves out. `rankloop.monitoring.measure.seen` says by which
features.

Days differ on their own: by weekday, by who came, and in a young shop by how much history there is. `expected` of PSI,
KS and new values is therefore the most that any day of the reference differs from the other ones, and that of the
classifier what it makes of the newest of them. `context_weekday` is left out: one day against many has always drifted.

What is exact: every row is counted, and means, shares and PSI do not depend on the order of rows in any bit; KS and
the median are as `rankloop.monitoring.measure.grid` says. The classifier sees a sample, of rows chosen by a hash of
their list and product. Memory is bounded: rows are counted in portions, in one pass, where the engine has them.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.champions.current import current_champion
from rankloop.context import Context
from rankloop.contracts.lake import CLEANED
from rankloop.features.families import product
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure import grid as grids
from rankloop.monitoring.measure.domain_classifier import (
    ClassifierAuc,
    ClassifierSample,
    domain_classifier_auc,
    rank_columns,
)
from rankloop.monitoring.measure.grid import Column, Floats, Grid
from rankloop.monitoring.measure.measurements import Measurement, write_measurements
from rankloop.monitoring.measure.reference import SCORE, Reference, load_reference, ranking_version
from rankloop.monitoring.measure.seen import Seen, comparable_lists, scan_lists
from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.measure.tally import Counted
from rankloop.settings.drift import DriftSettings

CALM_PSI = 0.1
"""PSI below which days are commonly said not to differ."""

Measure = Callable[[Grid, Floats, Floats], float]


def measure_drift(context: Context, day: date) -> dict[str, Any]:
    """Write the drift of a day, or return why there is none to be measured."""
    reference = reference_on(context, day)
    if isinstance(reference, str):
        return {"skipped": reference}
    settings, engine = context.settings, context.engine
    lists = comparable_lists(engine, context.lake, day, settings.experiment.control_share)
    if not lists.rows:
        return {"skipped": no_base_lists(day)}
    seen = scan_lists(engine, context.feature_store, day, reference, lists, settings.drift.sample_rows)
    return write_measurements(context.lake, DRIFT, day, drift_measurements(reference, seen, settings.drift))


def reference_on(context: Context, day: date) -> Reference | str:
    """Return the reference that a day is compared with, or why there is none."""
    if why := _not_there(context.lake, day):
        return why
    champion = partial(current_champion, context.state, context.registry)
    if (number := ranking_version(context.lake, day, champion)) is None:
        return f"no model ranked as of {day}, so there is nothing that it was judged on"
    return load_reference(context.registry, number, context.settings.experiment.control_share)


def no_base_lists(day: date) -> str:
    """Why a day that has its events and features may have nothing to hold against the reference."""
    return f"on {day} the shop's own ranking was shown to nobody; see experiment.control_share"


def _not_there(lake: Lake, day: date) -> str:
    """What a day's lists need and lack, if anything."""
    if day not in lake.days(CLEANED):
        return f"the events of {day} are not in the lake"
    built = lake.days(product.TABLE.name)
    lacking = [str(d) for d in (day - timedelta(days=1), day) if d not in built]
    return f"there are no features as of {', '.join(lacking)}; build them by running daily_features" if lacking else ""


def drift_measurements(reference: Reference, seen: Seen, settings: DriftSettings) -> list[Measurement]:
    """All that is measured of a day's rows."""
    measurements = [
        measurement
        for number, counted in enumerate(seen.counted)
        for measurement in column_measurements(reference, number, counted, seen.rows)
    ]
    if stable_features(reference) and (aucs := classify_day(reference, seen.sample, settings.sample_rows)):
        now, usual = aucs
        expected = usual.auc if usual else None
        measurements.append(
            Measurement("population", "all", "auc", now.auc, now.low, now.high, expected, now.rows, reference.version)
        )
    return measurements


def column_measurements(reference: Reference, number: int, now: Counted, rows: int) -> Iterator[Measurement]:
    """What is measured of one feature, or of the score."""
    name, grid, before = reference.columns[number], reference.grids[number], reference.by_day[number].sum(axis=0)
    signal, subject = ("prediction", SCORE) if name == SCORE else ("feature", name)
    figures = {
        "psi": (grids.psi(grid, before, now.cells), largest_reference_deviation(reference, number)),
        "ks": (
            grids.ks(before, now.cells),
            largest_reference_deviation(reference, number, lambda _, *counts: grids.ks(*counts)),
        ),
    }
    if name != SCORE:
        figures |= _levels(grid, before, now, reference.values(name), reference.weights)
    if name != SCORE and grid.codes:
        usual = largest_reference_deviation(reference, number, lambda _, *counts: grids.new_values(*counts))
        figures["new_values"] = (grids.new_values(before, now.cells), usual)
    for measure, (value, expected) in figures.items():
        yield Measurement(signal, subject, measure, value, expected=expected, rows=rows, version=reference.version)


def largest_reference_deviation(reference: Reference, number: int, measure: Measure = grids.psi) -> float | None:
    """The most that a day of the reference differs from its other ones in a column; None where there is one day."""
    grid, days = reference.grids[number], reference.by_day[number]
    if len(days) == 1:
        return None
    values = (measure(grid, days.sum(axis=0) - counts, counts) for counts in days)
    return max((value for value in values if not np.isnan(value)), default=None)


def _levels(
    grid: Grid, before: Floats, now: Counted, values: Column, weights: Floats
) -> dict[str, tuple[float, float | None]]:
    """Share missing, mean and median: now and in the reference."""
    known = np.isfinite(values)
    there, weigh = values[known].astype(np.float64), weights[known]
    if not len(there):
        return {"missing": (grids.missing(now.cells), grids.missing(before))}
    bounds = float(there.min()), float(there.max())
    middle = grids.median(grid, now.cells, now.least, now.greatest)
    return {
        "missing": (grids.missing(now.cells), grids.missing(before)),
        "mean": (now.mean, float(np.average(there, weights=weigh))),
        "median": (middle, grids.median(grid, before, *bounds)),
    }


def stable_features(reference: Reference) -> list[str]:
    """The features in which days of the reference hardly differ: by the others a classifier would know any day."""
    usual = {
        name: largest_reference_deviation(reference, number)
        for number, name in enumerate(reference.columns)
        if name != SCORE
    }
    return [name for name, most in usual.items() if most is None or most < CALM_PSI]


def classify_day(
    reference: Reference, sample: pa.Table, rows: int
) -> tuple[ClassifierAuc, ClassifierAuc | None] | None:
    """How well a day is told from the reference; and the reference's newest day from its other ones."""
    features = stable_features(reference)
    numbers = [reference.columns.index(name) for name in features]
    used = [reference.grids[number] for number in numbers]
    counts = [reference.by_day[number].sum(axis=0) for number in numbers]
    newest = reference.days == reference.days.max()

    def side(which: npt.NDArray[np.bool_]) -> ClassifierSample:
        chosen = np.flatnonzero(which)
        # Rows lie day after day and list after list, so every n-th is of all days.
        chosen = chosen[:: max(1, -(-len(chosen) // rows))]
        values = rank_columns(used, counts, [reference.values(name)[chosen] for name in features])
        return ClassifierSample(values, reference.groups[chosen], reference.weights[chosen])

    groups = sample["buyer_group"].to_numpy()
    values = rank_columns(used, counts, [sample[name].to_numpy() for name in features])
    now = domain_classifier_auc(
        side(np.full(len(newest), fill_value=True)), ClassifierSample(values, groups, np.ones(len(groups)))
    )
    return None if now is None else (now, domain_classifier_auc(side(~newest), side(newest)))
