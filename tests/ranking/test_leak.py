"""A feature that knows the label is found, whatever shape its knowledge has."""

from pathlib import Path

import numpy as np
import pytest

from rankloop.ranking.fitting import check_leaks
from rankloop.ranking.leak import LeakError, power
from tests.ranking.made import made_set, settings_for

RANDOM = np.random.default_rng(1)
CLICKED = RANDOM.random(5000) < 0.012


@pytest.mark.parametrize(
    "column",
    [
        CLICKED.astype(np.float32),
        -CLICKED.astype(np.float32),
        np.where(CLICKED, 0.5, RANDOM.choice([0.0, 1.0], 5000)),
        np.where(CLICKED, np.nan, 1.0),
        np.where(CLICKED, 1.0, np.nan),
        CLICKED + RANDOM.normal(0, 0.01, 5000),
    ],
    ids=["copy", "reversed", "in the middle", "empty where clicked", "empty where ignored", "with noise"],
)
def test_a_feature_that_knows_the_label_has_full_power(column: np.ndarray) -> None:
    assert power(column.astype(np.float32), CLICKED) > 0.98


def test_a_feature_that_knows_nothing_has_hardly_any() -> None:
    assert power(RANDOM.random(5000).astype(np.float32), CLICKED) < 0.9
    assert power(np.ones(5000, np.float32), CLICKED) == 0.5


def test_a_training_set_with_such_a_feature_stops_the_run_by_its_name(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    data = made_set(settings, product_views_28d=lambda _random, label, _count: label * 3.0)
    with pytest.raises(LeakError, match=r"product_views_28d \(1\.0000\)"):
        check_leaks(settings.training, data)


def test_an_honest_training_set_passes(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    found = check_leaks(settings.training, made_set(settings))
    assert found["category4_share"] > found["product_price"]
