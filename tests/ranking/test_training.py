"""From a market's days to a model that ranks better than the shop does."""

from datetime import timedelta

import pytest

from rankloop.lake.tables import Lake
from rankloop.ranking.fitting import check_leaks, fit_model, learn_preprocessing, tune_params
from rankloop.ranking.lists import LISTS
from rankloop.ranking.metrics import mean_metrics
from rankloop.ranking.training_set import open_training_set, sizes_of
from rankloop.ranking.tuning import MemoryLog
from rankloop.ranking.windows import plan_windows, require_days
from rankloop.settings import Settings
from rankloop_demo.simulator.living import Marketplace
from tests.building import aggregate_day, build_features, lake_of, prepare_day
from tests.features.market import FIRST_DAY, ZONE, clean_events, put

DAYS = [FIRST_DAY + timedelta(days=number) for number in range(22)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with three weeks of a small market and the features of every day."""
    made = Settings(home=tmp_path_factory.mktemp("home"), training={"max_iter": 2, "threads": 1})
    place = Marketplace(seed=7, scale=0.05, first_day=FIRST_DAY, timezone=ZONE, dirt=False)
    for day, events in clean_events(place, DAYS).items():
        put(made, day, events)
        aggregate_day(made, day)
        build_features(made, day)
    return made


@pytest.mark.stack
def test_a_model_trained_on_a_small_market_ranks_the_days_after_better_than_the_shop(settings: Settings) -> None:
    training = settings.training
    windows = plan_windows(training, DAYS[-1])
    lake = Lake(settings.lake_root)
    require_days(lake, settings.training, windows)
    for day in windows.days:
        prepare_day(settings, day)
    data = open_training_set(lake, windows)
    check_leaks(training, data)
    preprocessing = learn_preprocessing(training, data)
    tuned = tune_params(training, data, preprocessing, MemoryLog())
    model = fit_model(training, data, preprocessing, tuned.params)
    tests = [day for days in windows.tests for day in days]
    rows = lake_of(settings).read(LISTS, tests)
    label, sizes = rows["label"].to_numpy(), sizes_of(rows["request_id"].combine_chunks())
    ours, base = (mean_metrics(score, label, sizes) for score in (model.score(rows), rows["base_score"].to_numpy()))
    assert ours["ndcg@5"] > 1.3 * base["ndcg@5"]
    assert ours["recall@30"] > base["recall@30"]
    again = fit_model(
        training,
        open_training_set(lake, windows, data.versions, data.digest),
        preprocessing,
        tuned.params,
    )
    assert (again.score(rows) == model.score(rows)).all()
