"""Measures drift: how far a day's lists are from the champion's reference, by feature, by score, and as a whole.

What is compared. The reference is a sample of the lists of the champion's test days. Our own batch would differ from
it on the quietest day: it holds the hundred best of each buyer, chosen by us, and the reference what the shop showed.
So the day's lists are those that the shop ranked itself, on all surfaces, of the control group alone where there is
one, and of the reference the same buyers' rows are taken. Nothing in either was chosen by the champion, and weights of
the reference make up for idle lists that training leaves out. `rankloop.monitoring.measure.scan` says by which
features.

Days differ on their own: by weekday, by who came, and in a young shop by how much history there is. `expected` of PSI,
KS and new values is therefore the most that any day of the reference differs from the other ones, and that of the
classifier what it makes of the newest of them. `context_weekday` is left out: one day against many has always drifted.

What is exact: every row is counted, and means, shares and PSI do not depend on the order of rows in any bit; KS and
the median are as `rankloop.monitoring.measure.value_bins` says. The classifier sees a sample of rows, chosen by a hash
of their list and product. Memory is bounded: rows are counted in portions, in one pass, where the engine has them.
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
from rankloop.monitoring.measure import value_bins
from rankloop.monitoring.measure.domain_classifier import (
    ClassifierAuc,
    ClassifierSample,
    domain_classifier_auc,
    rank_columns,
)
from rankloop.monitoring.measure.histogram import ColumnCounts
from rankloop.monitoring.measure.measurements import Measurement, write_measurements
from rankloop.monitoring.measure.reference import SCORE, Reference, load_reference, ranking_version
from rankloop.monitoring.measure.scan import ScanResult, comparable_lists, scan_lists
from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.measure.value_bins import Column, Floats, ValueBins
from rankloop.settings.drift import DriftSettings
from rankloop.training.learned_definitions import require_learned_definitions

CALM_PSI = 0.1
"""PSI below which days are commonly said not to differ."""

Measure = Callable[[ValueBins, Floats, Floats], float]


def measure_drift(context: Context, day: date) -> dict[str, Any]:
    """Write the drift of a day, or return why there is none to be measured."""
    reference = reference_on(context, day)
    if isinstance(reference, str):
        return {"skipped": reference}
    settings, engine = context.settings, context.engine
    lists = comparable_lists(engine, context.lake, day, settings.experiment.control_share)
    if not lists.rows:
        return {"skipped": no_base_lists(day)}
    before, features = day - timedelta(days=1), reference.scorer.features
    require_learned_definitions(context.registry, context.feature_store, reference.version, (before, day), features)
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
    """Return why a day with events and features may have nothing to compare with the reference."""
    return f"on {day} the shop's own ranking was shown to nobody; see experiment.control_share"


def _not_there(lake: Lake, day: date) -> str:
    """Return what is missing to measure a day's lists, in words; empty if nothing is."""
    if day not in lake.days(CLEANED):
        return f"the events of {day} are not in the lake"
    built = lake.days(product.TABLE.name)
    lacking = [str(d) for d in (day - timedelta(days=1), day) if d not in built]
    return f"there are no features as of {', '.join(lacking)}; build them by running daily_features" if lacking else ""


def drift_measurements(reference: Reference, seen: ScanResult, settings: DriftSettings) -> list[Measurement]:
    """Return all measurements of a day's rows."""
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


def column_measurements(reference: Reference, number: int, now: ColumnCounts, rows: int) -> Iterator[Measurement]:
    """Return the measurements of one feature, or of the score."""
    name, bins, before = reference.columns[number], reference.bins[number], reference.by_day[number].sum(axis=0)
    signal, subject = ("prediction", SCORE) if name == SCORE else ("feature", name)
    figures = {
        "psi": (value_bins.psi(bins, before, now.cells), largest_reference_deviation(reference, number)),
        "ks": (
            value_bins.ks(before, now.cells),
            largest_reference_deviation(reference, number, lambda _, *counts: value_bins.ks(*counts)),
        ),
    }
    if name != SCORE:
        figures |= _levels(bins, before, now, reference.values(name), reference.weights)
    if name != SCORE and bins.codes:
        usual = largest_reference_deviation(reference, number, lambda _, *counts: value_bins.new_value_share(*counts))
        figures["new_values"] = (value_bins.new_value_share(before, now.cells), usual)
    for measure, (value, expected) in figures.items():
        yield Measurement(signal, subject, measure, value, expected=expected, rows=rows, version=reference.version)


def largest_reference_deviation(reference: Reference, number: int, measure: Measure = value_bins.psi) -> float | None:
    """Return the most that a day of the reference differs from its other days in a column; None for one day."""
    bins, days = reference.bins[number], reference.by_day[number]
    if len(days) == 1:
        return None
    values = (measure(bins, days.sum(axis=0) - counts, counts) for counts in days)
    return max((value for value in values if not np.isnan(value)), default=None)


def _levels(
    bins: ValueBins, before: Floats, now: ColumnCounts, values: Column, weights: Floats
) -> dict[str, tuple[float, float | None]]:
    """Share missing, mean and median: now and in the reference."""
    known = np.isfinite(values)
    there, weigh = values[known].astype(np.float64), weights[known]
    if not len(there):
        return {"missing": (value_bins.missing_share(now.cells), value_bins.missing_share(before))}
    bounds = float(there.min()), float(there.max())
    middle = value_bins.binned_median(bins, now.cells, now.least, now.greatest)
    return {
        "missing": (value_bins.missing_share(now.cells), value_bins.missing_share(before)),
        "mean": (now.mean, float(np.average(there, weights=weigh))),
        "median": (middle, value_bins.binned_median(bins, before, *bounds)),
    }


def stable_features(reference: Reference) -> list[str]:
    """Return the features in which days of the reference hardly differ: others would give any day away."""
    usual = {
        name: largest_reference_deviation(reference, number)
        for number, name in enumerate(reference.columns)
        if name != SCORE
    }
    return [name for name, most in usual.items() if most is None or most < CALM_PSI]


def classify_day(
    reference: Reference, sample: pa.Table, rows: int
) -> tuple[ClassifierAuc, ClassifierAuc | None] | None:
    """Return the classifier's AUC of the day against the reference, and of its newest day against its other days."""
    features = stable_features(reference)
    numbers = [reference.columns.index(name) for name in features]
    used = [reference.bins[number] for number in numbers]
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
