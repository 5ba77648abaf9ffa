"""Price quartiles within a category."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rankloop.engine.duck import open_duck
from rankloop.features.prices import add_price_position
from rankloop.settings.features import FeatureSettings
from tests.features.market import in_memory

RINGS = "1/2/1019/1074"


def places(prices: list[int]) -> pd.DataFrame:
    """Where each of these prices of one category stands, in the order given."""
    frame = pd.DataFrame(
        {"product_id": range(len(prices)), "original_price": prices, "final_price": prices, "category_path": RINGS}
    )
    with open_duck(FeatureSettings()) as engine:
        placed = add_price_position(in_memory(engine, frame)).to_pandas()
    return placed.sort_values("product_id").reset_index(drop=True)


def rings() -> list[int]:
    """Prices of rings like those of the reference: quartiles near 99 000, 165 000 and 250 000 dong."""
    random = np.random.default_rng(1)
    prices: list[int] = random.triangular(9_000, 99_000, 430_000, 800).round(-3).astype(int).tolist()
    return prices


def test_one_gold_ring_among_rings_leaves_the_quarters_unmoved() -> None:
    before, after = places(rings()), places([*rings(), 3_220_000_000])
    assert after["price_quartile"][:-1].tolist() == before["price_quartile"].tolist()
    assert after["price_median_x4"][0] == before["price_median_x4"][0]


def test_an_outlier_is_put_into_the_outer_quarter() -> None:
    placed = places([*rings(), 3_220_000_000])
    assert placed["price_quartile"].iloc[-1] == 4
    assert placed["price_rank"].iloc[-1] == 1000


def test_a_price_beyond_reason_breaks_no_sum() -> None:
    assert (
        places([*rings(), 2**62])["price_quartile"].tolist()
        == places([*rings(), 3_220_000_000])["price_quartile"].tolist()
    )


def test_the_quarters_are_those_of_pandas_without_outliers() -> None:
    prices = pd.Series([*rings(), 3_220_000_000, 1_500_000_000])
    low, high = prices.quantile([0.25, 0.75])
    inside = prices[prices.between(low - 1.5 * (high - low), high + 1.5 * (high - low))]
    edges = inside.quantile([0.25, 0.5, 0.75]).to_numpy()
    expected = 1 + (prices.to_numpy()[:, None] > edges).sum(axis=1)
    assert places(prices.tolist())["price_quartile"].tolist() == expected.tolist()


@pytest.mark.parametrize("prices", [[5_000], [5_000, 5_000, 5_000]])
def test_a_category_of_one_price_is_all_in_its_first_quarter(prices: list[int]) -> None:
    assert set(places(prices)["price_quartile"]) == {1}


def test_the_only_product_of_a_category_is_in_the_middle_of_it() -> None:
    assert places([5_000])["price_rank"].tolist() == [500]


@given(prices=st.lists(st.integers(1_000, 50_000), min_size=1, max_size=40))
@hypothesis_settings(max_examples=25, deadline=None)
def test_equal_prices_stand_in_equal_places_and_dearer_ones_not_lower(prices: list[int]) -> None:
    placed = places(prices).sort_values("final_price")
    assert placed.groupby("final_price")["price_quartile"].nunique().max() == 1
    assert placed["price_quartile"].is_monotonic_increasing
    assert placed["price_rank"].is_monotonic_increasing
