"""How our rankings do, what was expected of them, and whether tastes moved, in shops where that is known."""

import math
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from rankloop.contracts.lake import SHOWN as SHOWN_LISTS
from rankloop.experiment import is_control
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.estimates import ESTIMATES
from rankloop.monitoring.measure.live_results import LIVE
from rankloop.monitoring.measure.measurements import Measurement, read_measurements
from rankloop.monitoring.measure.performance import FEWEST_REACTED
from rankloop.monitoring.measure.tables import CONCEPT, PERFORMANCE, SCHEMA
from rankloop.ranking.evaluation import Evaluation
from rankloop.ranking.metrics import tally
from rankloop.ranking.scored import OURS
from rankloop.ranking.segments import segment_lists, segment_of
from rankloop.registry.connection import Registry
from rankloop.registry.versions import version
from rankloop.training.record import EVALUATION, TrainingRecord, open_record
from tests.building import lake_of
from tests.monitoring.entries import measure_concept, measure_estimates, measure_performance
from tests.monitoring.watched import AS_OF, RIPE, SHOWN, UNRIPE, Watched
from tests.openings import count_openings

pytestmark = pytest.mark.stack
Key = tuple[str, str, str]


def keyed(shop: Watched, table: str, day: date) -> dict[Key, Measurement]:
    """The day's measures by signal, subject and measure."""
    lake = lake_of(shop.settings)
    rows = read_measurements(lake, table, day)
    found = {(one.signal, one.subject, one.measure): one for one in rows}
    assert len(found) == len(rows)
    assert lake.read(table, [day]).schema.names == SCHEMA.names
    return found


@pytest.fixture(scope="module")
def measured(quiet: Watched) -> dict[Key, Measurement]:
    """A ripe day of a shop in which nothing happens, estimated on its evening."""
    assert measure_estimates(quiet.settings, RIPE)["rows"] == 2
    assert measure_performance(quiet.settings, RIPE)["rows"]
    return keyed(quiet, PERFORMANCE, RIPE)


def test_live_figures_are_those_of_the_live_results(measured: dict[Key, Measurement], quiet: Watched) -> None:
    rows = lake_of(quiet.settings).read(LIVE, [RIPE]).to_pylist()
    ours = {
        f"{row['metric']}@{row['k']}": (row["value"], row["low"], row["high"], row["lists"])
        for row in rows
        if (row["arm"], row["policy"], row["surface"]) == ("personalised", "version 1", "all")
    }
    for name in ("map@10", "recall@30", "ndcg@10", "ctr@10"):
        one = measured["live", "all", name]
        assert (one.value, one.low, one.high, one.rows) == ours[name]
        assert (one.version, one.expected) == (quiet.version, None)


def test_segments_of_buyers_add_up_to_all_lists(measured: dict[Key, Measurement], quiet: Watched) -> None:
    rows = quiet.events[RIPE][SHOWN_LISTS].to_pylist()
    names = {row["request_id"]: row["account_id"] for row in rows if row["policy"] == "version 1"}
    assert measured["live", "all", "ctr@10"].rows == int((~is_control(list(names.values()), 0.5)).sum())
    [regular] = [one for key, one in measured.items() if key == ("live", "buyer=regular", "ctr@10")]
    assert regular.value == pytest.approx(measured["live", "all", "ctr@10"].value, rel=0.1)
    for key, one in measured.items():
        if key[0] == "live":
            assert one.low is not None
            assert one.high is not None
            assert one.low <= one.value <= one.high


def record_of(quiet: Watched) -> TrainingRecord:
    """The record of the champion's training."""
    registry = Registry(quiet.settings.mlflow)
    return open_record(registry, Lake(quiet.settings.lake_root), version(registry, quiet.version).run_id)


def test_the_shops_lists_ranked_anew_are_held_against_the_evaluation(
    measured: dict[Key, Measurement], quiet: Watched
) -> None:
    run = record_of(quiet).run
    # Before the first champion all lists were the shop's, so that the promise is the evaluation's own figure.
    promised = Evaluation.from_rows(run.get_json(EVALUATION)).of("test_0", "pscore")
    for name in ("map@10", "recall@30", "ndcg@10", "ctr@10"):
        assert measured["reranked", "all", name].expected == pytest.approx(promised[name])
    ndcg = measured["reranked", "all", "ndcg@10"]
    assert ndcg.value == pytest.approx(promised["ndcg@10"], abs=0.1)


def test_a_segment_is_held_against_what_it_came_to_in_the_evaluation(
    measured: dict[Key, Measurement], quiet: Watched
) -> None:
    told = {key[1]: one for key, one in measured.items() if (key[0], key[2]) == ("reranked", "ctr@10")}
    run = record_of(quiet)
    promised = run.scored().of_sets(*run.tests)
    assert {"buyer=regular", "price=1", "price=4"} <= told.keys()
    for name in told.keys() - {"all"}:
        some, judged = segment_lists(promised, segment_of(name))
        assert told[name].expected == pytest.approx(tally(some.score(OURS), judged, ("ctr@10",)).means()["ctr@10"])
        assert some.reacted.sum() >= FEWEST_REACTED


def test_ours_are_better_than_controls(measured: dict[Key, Measurement]) -> None:
    ctr = measured["against_control", "all", "ctr@10"]
    assert ctr.low is not None
    assert ctr.low > 0 == ctr.expected
    assert {key[2] for key in measured if key[0] == "against_control"} == {
        "ctr@10",
        "ndcg@10",
        "orders_per_buyer",
        "gmv_per_buyer",
    }


def test_an_estimate_is_held_against_what_came(measured: dict[Key, Measurement], quiet: Watched) -> None:
    early = keyed(quiet, ESTIMATES, RIPE)
    for name in ("ctr@10", "ndcg@10"):
        estimate, live, error = (
            early["estimated", "all", name],
            measured["live", "all", name],
            measured["estimated", name, "error"],
        )
        assert measured["estimated", "all", name] == estimate
        assert estimate.expected == pytest.approx(live.value, rel=0.4)
        assert error.value == estimate.value - live.value
        assert estimate.low is not None
        assert estimate.high is not None
        assert live.low is not None
        assert live.high is not None
        assert max(estimate.low, live.low) <= min(estimate.high, live.high), name


def test_what_has_not_ripened_is_estimated_and_no_more(quiet: Watched) -> None:
    assert measure_estimates(quiet.settings, UNRIPE)["rows"] == 2
    assert "not in the lake yet" in measure_performance(quiet.settings, UNRIPE)["skipped"]
    assert "not in the lake yet" in measure_concept(quiet.settings, UNRIPE)["skipped"]
    assert UNRIPE not in lake_of(quiet.settings).days(PERFORMANCE)


def test_a_day_of_the_shops_own_rankings_says_nothing_of_ours(quiet: Watched) -> None:
    assert "nobody was shown" in measure_performance(quiet.settings, AS_OF)["skipped"]
    assert "no list" in measure_estimates(quiet.settings, AS_OF)["skipped"]
    assert "too few clicks" in measure_estimates(quiet.settings, SHOWN[0])["skipped"]
    assert "not in the lake" in measure_concept(quiet.settings, SHOWN[-1] + timedelta(days=9))["skipped"]


def test_a_day_measured_again_is_the_same(measured: dict[Key, Measurement], quiet: Watched) -> None:
    assert measured
    lake = lake_of(quiet.settings)
    for table, measure in ((ESTIMATES, measure_estimates), (PERFORMANCE, measure_performance)):
        before = lake.digest(table, RIPE)
        assert measure(quiet.settings, RIPE)["digest"] == before


def test_an_estimate_opens_the_lake_the_engine_and_mlflow_once(quiet: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = count_openings(monkeypatch)
    assert measure_estimates(quiet.settings, RIPE)["rows"] == 2
    assert opened == {"lake": 1, "engine": 1, "registry": 1}


@pytest.fixture(scope="module")
def concepts(quiet: Watched, shifted: Watched) -> Sequence[dict[Key, Measurement]]:
    """Of both shops, how far the champion still knows what buyers like."""
    for shop in (quiet, shifted):
        assert measure_concept(shop.settings, RIPE)["rows"]
    return [keyed(shop, CONCEPT, RIPE) for shop in (quiet, shifted)]


@pytest.mark.parametrize(("segment", "sign"), [("price=1", 1), ("price=4", -1)])
def test_once_all_look_for_a_low_price_scores_promise_too_little_of_the_cheap_and_too_much_of_the_dear(
    concepts: Sequence[dict[Key, Measurement]], segment: str, sign: int
) -> None:
    calm, moved = (found["residual", segment, "calibration"] for found in concepts)
    within, beyond = ((one.low or math.nan, one.high or math.nan) for one in (calm, moved))
    assert within[0] < 0 < within[1]
    assert min(sign * bound for bound in beyond) > 0.2


def test_what_recent_days_teach_has_an_interval_around_it(concepts: Sequence[dict[Key, Measurement]]) -> None:
    # Lists as few as these do not tell a moved taste from a champion that had little to learn from.
    for found in concepts:
        one = found["fresh", "all", "ndcg@10"]
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.value < one.high
        assert (one.expected, one.version) == (0.0, 1)
