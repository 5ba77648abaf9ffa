"""What counts of cells say of drift: against scipy and slow ways, in any order, and of nothing at all."""

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis.extra.numpy import arrays
from scipy.stats import ks_2samp

from rankloop.monitoring.measure.histogram import (
    ColumnCounts,
    count_column,
    deserialise_counts,
    merge_counts,
    serialise_counts,
)
from rankloop.monitoring.measure.value_bins import (
    BINS,
    EDGES,
    FLOOR,
    Column,
    ValueBins,
    binned_median,
    fit_bins,
    ks,
    missing_share,
    new_value_share,
    psi,
)
from rankloop.monitoring.report.evidently_page import evidently_page

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
CODES = st.integers(-3, 12).map(float)
UNKNOWN = st.just(math.nan)


def columns(*values: st.SearchStrategy[float], least: int = 1, most: int = 80) -> st.SearchStrategy[Column]:
    return arrays(np.float32, st.integers(least, most), elements=st.one_of(*values))


CALM = effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine may be busy with other tests."""
KNOWN = columns(FINITE, CODES)
ANY = columns(FINITE, CODES, UNKNOWN)


def made_of(reference: Column) -> ValueBins:
    return fit_bins(reference, np.ones(len(reference)))


def counted(bins: ValueBins, values: Column) -> Any:  # noqa: ANN401  (an array)
    return count_column(bins, values).cells


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of its p-values, of so few
@given(KNOWN, KNOWN)
@CALM
def test_ks_is_that_of_scipy(reference: Column, now: Column) -> None:
    bins = made_of(reference)
    assert ks(counted(bins, reference), counted(bins, now)) == pytest.approx(
        ks_2samp(reference, now, method="asymp").statistic
    )


@given(st.integers(0, 2**32), st.floats(-0.5, 0.5), st.floats(0.5, 2))
@effort(CALM, max_examples=15)
def test_ks_of_many_values_is_at_most_a_thousandth_below_that_of_scipy(seed: int, shift: float, scale: float) -> None:
    draw = np.random.default_rng(seed)
    reference, now = draw.normal(size=20_000).astype("f4"), (shift + scale * draw.normal(size=9000)).astype("f4")
    bins = made_of(reference)
    exact = ks_2samp(reference, now, method="asymp").statistic
    assert exact - 1 / EDGES - 1e-9 <= ks(counted(bins, reference), counted(bins, now)) <= exact + 1e-9


def slow_psi(reference: Column, now: Column) -> float:
    """By the definition: a value a bin where there are few, else tenths; and bins outside, and for the unknown."""
    known = sorted(value for value in reference.tolist() if not math.isnan(value))
    distinct = sorted(set(known))
    if len(distinct) <= BINS:
        ends = distinct
    else:
        places = [next(n for n in range(len(known)) if n + 1 >= part * len(known) / BINS) for part in range(1, BINS)]
        ends = sorted({*(known[place] for place in places), known[-1]})

    def place(value: float) -> str | int:
        if math.isnan(value):
            return "unknown"
        if len(distinct) <= BINS:
            return ends.index(value) if value in ends else "never"
        if value < known[0] or value > known[-1]:
            return "below" if value < known[0] else "never"
        return next(number for number, end in enumerate(ends) if value <= end)

    shares = [
        pd.Series([place(v) for v in side.tolist()], dtype=object).value_counts(normalize=True).to_dict()
        for side in (reference, now)
    ]
    total = 0.0
    for name in {*shares[0], *shares[1]}:
        before, after = (max(share.get(name, 0.0), FLOOR) for share in shares)
        total += (after - before) * math.log(after / before)
    return total


@given(ANY, ANY)
@CALM
def test_psi_is_that_of_a_slow_count(reference: Column, now: Column) -> None:
    bins = made_of(reference)
    assert psi(bins, counted(bins, reference), counted(bins, now)) == pytest.approx(slow_psi(reference, now))


@given(ANY)
@CALM
def test_what_is_the_same_has_not_drifted(values: Column) -> None:
    bins = made_of(values)
    same = counted(bins, values)
    assert psi(bins, same, same) == 0
    assert missing_share(same) == np.isnan(values).mean()
    if not np.isnan(values).all():
        assert ks(same, same) == 0
        assert new_value_share(same, same) == 0


@given(ANY, ANY, st.randoms(use_true_random=False), st.integers(0, 80))
@CALM
def test_neither_order_nor_who_saw_which_rows_changes_a_bit(
    reference: Column,
    now: Column,
    chance: Any,  # noqa: ANN401
    cut: int,
) -> None:
    bins, order = made_of(reference), list(range(len(now)))
    chance.shuffle(order)
    mixed = now[order]
    parts = [count_column(bins, part) for part in (mixed[cut:], mixed[:cut])]
    [one] = deserialise_counts([bins], serialise_counts([merge_counts(*parts)]))
    whole = count_column(bins, now)
    assert np.array_equal(one.cells, whole.cells)
    assert (str(one.mean), one.least, one.greatest) == (str(whole.mean), whole.least, whole.greatest)


@given(columns(FINITE, CODES, UNKNOWN, st.sampled_from([math.inf, -math.inf])))
@CALM
def test_the_mean_is_the_exact_one_and_what_is_not_finite_is_unknown(values: Column) -> None:
    known = [float(value) for value in values if np.isfinite(value)]
    found = count_column(made_of(np.zeros(1, np.float32)), values)
    assert found.cells[-1] == len(values) - len(known)
    if known:
        assert found.mean == pytest.approx(math.fsum(known) / len(known), rel=1e-15, abs=1e-300)
    else:
        assert math.isnan(found.mean)


@given(ANY, ANY)
@CALM
def test_counting_in_order_finds_the_cell_of_every_value(reference: Column, now: Column) -> None:
    bins = made_of(reference)
    assert np.array_equal(counted(bins, now), np.bincount(bins.cells(now), minlength=bins.size))


@given(KNOWN)
@CALM
def test_the_median_of_the_reference_itself_is_exact(values: Column) -> None:
    bins, found = made_of(values), count_column(made_of(values), values)
    expected = np.sort(values)[math.ceil(len(values) / 2) - 1]
    assert binned_median(bins, found.cells, found.least, found.greatest) == expected


def test_the_median_of_other_values_lies_among_them() -> None:
    bins = made_of(np.arange(10, dtype=np.float32))
    found: ColumnCounts = count_column(bins, np.array([100, 200, 300], np.float32))
    assert 100 <= binned_median(bins, found.cells, found.least, found.greatest) <= 300
    empty = count_column(bins, np.array([np.nan], np.float32))
    assert math.isnan(binned_median(bins, empty.cells, 0, 0))


def test_a_reference_of_unknown_values_alone_tells_known_from_unknown() -> None:
    bins = made_of(np.full(5, np.nan, np.float32))
    before, now = counted(bins, np.full(5, np.nan, np.float32)), counted(bins, np.ones(4, np.float32))
    assert psi(bins, before, before) == 0
    assert psi(bins, before, now) > 1


def test_a_few_prices_in_the_wrong_unit_are_not_lost_in_the_lowest_tenth() -> None:
    prices = np.random.default_rng(7).lognormal(12, 1, 20_000).astype(np.float32)
    wrong = prices.copy()
    wrong[::20] /= 10_000
    bins = made_of(prices)
    before = counted(bins, prices)
    assert psi(bins, before, counted(bins, wrong)) > 0.2
    # With tenths alone, five in a hundred of them are next to nothing.
    tenths = np.quantile(prices, np.arange(1, 10) / 10)
    shares = [np.bincount(np.searchsorted(tenths, side), minlength=10) / len(side) for side in (prices, wrong)]
    assert np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])) < 0.05


def test_evidently_finds_the_same_psi_where_nothing_is_unknown() -> None:
    draw = np.random.default_rng(7)
    before = pd.DataFrame({name: draw.lognormal(size=3000).astype("f4") for name in ("still", "moved")})
    now = pd.DataFrame({"still": draw.lognormal(size=2000), "moved": draw.lognormal(0.8, size=2000)}).astype("f4")
    page, told = evidently_page(before, now, {"still": 0.2, "moved": 0.2})
    assert "<html" in page
    for one in told:
        reference, column = (side[one["column"]].to_numpy() for side in (before, now))
        bins = made_of(reference)
        assert one["psi"] == pytest.approx(psi(bins, counted(bins, reference), counted(bins, column)))
    assert {one["column"]: one["drifted"] for one in told} == {"still": False, "moved": True}
