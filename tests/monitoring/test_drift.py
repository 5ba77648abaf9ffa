"""A day's drift in a small market with a champion: quiet, with prices in the wrong unit, cleared, and with nobody."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from rankloop.calendar import days_between
from rankloop.context import open_context
from rankloop.contracts.lake import SCORES, SCORES_SCHEMA
from rankloop.experiment import is_control
from rankloop.monitoring.measure import scan as module
from rankloop.monitoring.measure.tables import DRIFT
from rankloop.monitoring.report.addresses import report_link, report_path
from rankloop.monitoring.report.drift_report import read_report
from rankloop.settings import Settings
from rankloop.settings.drift import DriftSettings
from rankloop.settings.experiment import ExperimentSettings
from rankloop.settings.features import FeatureSettings
from rankloop.training.pipeline import run_training
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.scenarios import Scenarios
from tests.building import aggregate_day, build_features, lake_of
from tests.features.market import FIRST_DAY, ZONE, clean_events, put
from tests.mlflow_server import serving
from tests.mongo_server import emptied
from tests.monitoring.entries import make_report, measure_drift
from tests.training.steps import EASY_GATE, SMALL, Told, champion_is

pytestmark = pytest.mark.stack

QUIET, BUG = FIRST_DAY + timedelta(days=8), FIRST_DAY + timedelta(days=9)
FIRST_BUILT = FIRST_DAY + timedelta(days=2)
PLACE = Marketplace(
    seed=7, scale=0.03, first_day=FIRST_DAY, timezone=ZONE, dirt=False, scenarios=Scenarios({"unit_bug": BUG})
)
Rows = dict[tuple[str, str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, mongo_address: str) -> Iterator[Settings]:
    """A shop whose first champion was trained as of a quiet day, and the day after."""
    with serving(tmp_path_factory.mktemp("mlflow")) as mlflow:
        settings = Settings(
            home=tmp_path_factory.mktemp("home"),
            mlflow_uri=mlflow,
            mongo_uri=SecretStr(emptied(mongo_address)),
            training=SMALL,
            gate=EASY_GATE,
            features=FeatureSettings(threads=1),
        )
        for day, events in clean_events(PLACE, days_between(FIRST_DAY, BUG)).items():
            put(settings, day, events)
            aggregate_day(settings, day)
            if day >= FIRST_BUILT:
                build_features(settings, day)
        with open_context(settings) as context:
            run_id = run_training(context, "first", QUIET, "the first", lambda *_: None)
        [number] = Told(run_id, settings).versions
        with champion_is(settings, number):
            yield settings
    emptied(mongo_address)


def measured(settings: Settings, day: date) -> Rows:
    rows = lake_of(settings).read(DRIFT, [day]).to_pylist()
    keyed = {(row["signal"], row["subject"], row["measure"]): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


@pytest.fixture(scope="module")
def quiet(shop: Settings) -> Rows:
    assert measure_drift(shop, QUIET)["rows"]
    return measured(shop, QUIET)


@pytest.fixture(scope="module")
def bug(shop: Settings) -> Rows:
    assert measure_drift(shop, BUG)["rows"]
    return measured(shop, BUG)


def drifted(rows: Rows, times: float = 2.0) -> set[str]:
    return {
        subject
        for (_, subject, measure), row in rows.items()
        if measure == "psi" and row["value"] >= max(0.2, times * (row["expected"] or 0))
    }


def test_on_a_quiet_day_prices_and_scores_have_not_drifted(quiet: Rows) -> None:
    # A handful of shops and a few dozen buyers are other ones every day, but products are many.
    for column in (("feature", "product_price"), ("feature", "product_price_rank"), ("prediction", "score")):
        assert quiet[*column, "psi"]["value"] < 0.2
    assert "product_price" not in drifted(quiet)
    assert ("feature", "context_weekday", "psi") not in quiet


def test_prices_in_the_wrong_unit_are_seen_on_the_very_day(quiet: Rows, bug: Rows) -> None:
    assert bug["feature", "product_price", "psi"]["value"] > 5 * quiet["feature", "product_price", "psi"]["value"]
    assert "product_price" in drifted(bug)


def test_the_rows_are_those_of_the_control_group(shop: Settings, quiet: Rows) -> None:
    accounts = lake_of(shop).read("events/impressions", [QUIET], ["account_id"])["account_id"].to_numpy()
    row = quiet["feature", "product_price", "psi"]
    assert row["rows"] == is_control(accounts, 0.5).sum()
    assert row["version"] == 1


def test_the_classifier_is_held_against_what_it_makes_of_a_day_of_the_reference(quiet: Rows) -> None:
    row = quiet["population", "all", "auc"]
    assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
    assert 0 <= row["expected"] <= 1


def test_a_day_measured_again_or_in_portions_is_the_same(
    shop: Settings, quiet: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quiet
    before = lake_of(shop).digest(DRIFT, QUIET)
    monkeypatch.setattr(module, "PORTION_ROWS", 2000)
    assert measure_drift(shop, QUIET)["digest"] == before


def test_without_a_control_group_the_shops_own_lists_are_compared(shop: Settings, quiet: Rows) -> None:
    none = shop.model_copy(update={"experiment": ExperimentSettings(control_share=0.0)})
    assert measure_drift(none, QUIET)["rows"]
    rows = measured(none, QUIET)["feature", "product_price", "psi"]["rows"]
    assert rows == lake_of(shop).rows("events/impressions")[QUIET] > quiet["feature", "product_price", "psi"]["rows"]
    measure_drift(shop, QUIET)


def test_the_report_is_kept_with_the_day_and_says_what_drifted(shop: Settings) -> None:
    told = make_report(shop, BUG)
    assert "product_price" in told["drifted"]
    assert Path(told["report"]) == Path(shop.lake_root) / report_path(BUG)
    assert "product_price" in (read_report(lake_of(shop), BUG) or "")
    assert read_report(lake_of(shop), BUG + timedelta(days=9)) is None
    assert told["link"] == report_link(BUG) == f"/drift-reports/{BUG}"
    # Whatever else there is in the lake, pages are no tables.
    assert not [table for table in lake_of(shop).tables() if table.startswith("reports")]
    assert [path.name for path in (Path(shop.lake_root) / report_path(BUG)).parent.iterdir()] == ["report.html"]


def test_the_report_shows_all_that_drifted_and_no_more_than_is_read(shop: Settings) -> None:
    made = (DriftSettings(report_rows=1000, report_columns=many) for many in (40, 1))
    full, few = (make_report(shop.model_copy(update={"drift": drift}), BUG) for drift in made)
    shown = {test["column"] for test in few["tests"]}
    assert set(full["drifted"]) == set(few["drifted"]) <= shown
    assert len(shown) == max(1, len(few["drifted"])) < len(full["tests"]) <= 40


def test_a_day_that_lacks_something_is_skipped_in_words(shop: Settings) -> None:
    assert "events" in measure_drift(shop, BUG + timedelta(days=1))["skipped"]
    assert "no features as of 2026-09-30" in make_report(shop, FIRST_DAY)["skipped"]


def test_the_version_that_ranked_the_batch_is_the_one_that_is_compared(shop: Settings) -> None:
    lake, columns = lake_of(shop), SCORES_SCHEMA.remove(0)
    nobody = pa.Table.from_pylist([{"account_id": 1, "product_id": 1, "policy": "base"}], columns)
    lake.replace_day(SCORES, BUG, nobody, SCORES_SCHEMA)
    try:
        assert "no model ranked" in measure_drift(shop, BUG)["skipped"]
        assert "no model ranked" in make_report(shop, BUG)["skipped"]
    finally:
        lake.replace_day(SCORES, BUG, columns.empty_table(), SCORES_SCHEMA)
