"""Measures how well our rankings did: live, by segment, against control, and against the champion's evaluation.

`live` is what buyers made of the lists that a version ranked and that buyers outside the control group were shown:
over all of them (`all`), counted exactly, and by segment. Nothing that an evaluation said is comparable with it, so its
`expected` is empty. An evaluation reorders lists that the shop had chosen and placed; what buyers clicked there they
clicked where the shop had put it, among products of which few suited them. Live lists are our own choice of products in
our own order: their first places draw clicks because they are first, and what stands there is hard to rank, since
all of it suits the buyer. Live figures may lie above a promise or below, with a model that is as good as it was.

`reranked` is the comparable figure: the lists that the shop ranked itself on the day, as the version would have put
them, compared with the same figure of the test lists of its training that the shop had ranked (`expected`). It needs no
luck to agree but that buyers and products are what they were. It is told by segment too, against that segment's own.

`against_control` is personalised less control: CTR and NDCG of home lists, where rankings are shown, orders and what
they were worth over all lists. `estimated` is what was estimated before labels, and `error` how far that was off.
Intervals are drawn by buyer.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from rankloop.context import Context
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.monitoring.measure.estimates import ESTIMATED, ESTIMATES
from rankloop.monitoring.measure.expected_lists import expected_lists, training_of_version
from rankloop.monitoring.measure.lists_shown import (
    all_lists,
    buyer_numbers,
    in_shown_order,
    open_list_reader,
    with_policy,
    without_control,
    zero_parts,
)
from rankloop.monitoring.measure.live_results import (
    ALL,
    BOOTSTRAP,
    DIFFERENCE,
    LIVE,
    PERSONALISED,
    measure_live_results,
)
from rankloop.monitoring.measure.measurements import Measurement, read_measurements, write_measurements
from rankloop.monitoring.measure.tables import PERFORMANCE
from rankloop.ranking.comparison import intervals
from rankloop.ranking.metrics import Judged, tally
from rankloop.ranking.scored import OURS, ScoredLists
from rankloop.ranking.segments import segment_lists, segments
from rankloop.scoring.lists import SURFACE
from rankloop.scoring.ranker import load_version_model, policy_name, version_of_policy

NAMES = ("map@10", "recall@30", "ndcg@10", "ctr@10")
COMPARED = {"ctr@10": SURFACE, "ndcg@10": SURFACE, "orders_per_buyer": ALL, "gmv_per_buyer": ALL}
"""By metric, the surface on which the arms are compared."""
FEWEST_REACTED = 20
"""Lists with a reaction below which a segment is left out."""
LIVE_SIGNAL, RERANKED, AGAINST_CONTROL, ERROR = "live", "reranked", "against_control", "error"

Row = dict[str, Any]


def measure_performance(context: Context, day: date) -> dict[str, Any]:
    """Write how well our rankings did on a day, or return why that cannot be known."""
    judged = measure_live_results(context, day)
    if "skipped" in judged:
        return judged
    lake, reader = context.lake, open_list_reader(context)
    results = lake.read(LIVE, [day]).to_pylist()
    numbers = reader.versions(day)
    measurements = [*_overall(results), *_against_control(results, numbers)]
    for number in numbers:
        lists = reader.lists(day, all_lists, {OURS: load_version_model(context.registry, number)})
        measurements += _live_by_segment(lists, number, context.settings.experiment.control_share)
        base = with_policy(lists, BASE_POLICY)
        if len(base):
            measurements += _reranked(base, expected_lists(training_of_version(context, number), number), number)
    estimates = [estimate for estimate in read_measurements(lake, ESTIMATES, day) if estimate.version in numbers]
    summary = write_measurements(lake, PERFORMANCE, day, [*measurements, *estimates, *_errors(estimates, measurements)])
    return summary if numbers else {"skipped": f"on {day} nobody was shown a ranking of ours"}


def _metric(row: Row) -> str:
    return row["metric"] if row["k"] is None else f"{row['metric']}@{row['k']}"


def _overall(results: list[Row]) -> Iterator[Measurement]:
    """Yield the live results of each version's lists, on all surfaces."""
    for row in results:
        version, name = version_of_policy(row["policy"]), _metric(row)
        if version is not None and (row["arm"], row["surface"]) == (PERSONALISED, ALL) and name in NAMES:
            yield Measurement(
                LIVE_SIGNAL, ALL, name, row["value"], row["low"], row["high"], rows=row["lists"], version=version
            )


def _against_control(results: list[Row], numbers: list[int]) -> Iterator[Measurement]:
    version = numbers[0] if len(numbers) == 1 else None
    for row in results:
        name = _metric(row)
        if (row["arm"], row["policy"]) == (DIFFERENCE, ALL) and row["surface"] == COMPARED.get(name):
            figures = (row["value"], row["low"], row["high"], 0.0)
            yield Measurement(AGAINST_CONTROL, ALL, name, *figures, rows=row["lists"], version=version)


def _live_by_segment(lists: ScoredLists, number: int, control_share: float) -> Iterator[Measurement]:
    """Yield the live metrics of a version's lists, segment by segment."""
    ours = in_shown_order(without_control(with_policy(lists, policy_name(number)), control_share))
    for segment in segments(ours):
        of_segment, judged = segment_lists(ours, segment)
        if of_segment.reacted.sum() >= FEWEST_REACTED:
            yield from _measured(LIVE_SIGNAL, segment.name, of_segment, judged, {}, number)


def _reranked(shops: ScoredLists, evaluated: ScoredLists | None, number: int) -> Iterator[Measurement]:
    """Yield the metrics of the shop's lists reranked by the version, overall and by segment, against its evaluation."""
    if evaluated is None:
        yield from _measured(RERANKED, ALL, shops, shops.judged, {}, number)
        return
    yield from _measured(RERANKED, ALL, shops, shops.judged, _figures(evaluated, evaluated.judged), number)
    for segment in segments(shops):
        of_segment, judged = segment_lists(shops, segment)
        expected, judged_expected = segment_lists(evaluated, segment)
        if min(of_segment.reacted.sum(), expected.reacted.sum()) >= FEWEST_REACTED:
            yield from _measured(
                RERANKED, segment.name, of_segment, judged, _figures(expected, judged_expected), number
            )


def _measured(  # noqa: PLR0913, PLR0917  (what is measured of which lists)
    signal: str, subject: str, lists: ScoredLists, judged: Judged, expected: dict[str, float], version: int
) -> Iterator[Measurement]:
    """Yield each metric of these lists by `pscore`."""
    ours = tally(lists.score(OURS), judged, NAMES)
    stream = f"{signal} {subject}"
    low, high = intervals(ours, zero_parts(ours), BOOTSTRAP, stream=stream, groups=buyer_numbers(lists))
    for column, (name, value) in enumerate(ours.means().items()):
        bounds = float(low[column]), float(high[column])
        yield Measurement(signal, subject, name, value, *bounds, expected.get(name), len(lists), version)


def _figures(lists: ScoredLists, judged: Judged) -> dict[str, float]:
    return tally(lists.score(OURS), judged, NAMES).means()


def _errors(estimates: list[Measurement], measurements: list[Measurement]) -> Iterator[Measurement]:
    """Estimated less live, with the live figure's own uncertainty."""
    live = {
        (measurement.measure, measurement.version): measurement
        for measurement in measurements
        if (measurement.signal, measurement.subject) == (LIVE_SIGNAL, ALL)
    }
    for measurement in estimates:
        if (
            (measured := live.get((measurement.measure, measurement.version)))
            and measured.low is not None
            and measured.high is not None
        ):
            bounds = (measurement.value - measured.high, measurement.value - measured.low)
            yield Measurement(
                ESTIMATED,
                measurement.measure,
                ERROR,
                measurement.value - measured.value,
                *bounds,
                0.0,
                measured.rows,
                measurement.version,
            )
