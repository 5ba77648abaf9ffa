"""Features of a day know that day and those before it, and nothing else; built again they are the same."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rankloop.contracts.lake import BUYERS, PRODUCTS
from rankloop.features.build import Facts, aggregate_day, build_features, lake_of
from rankloop.settings import Settings
from tests.features.conftest import DAYS
from tests.features.market import DayOfEvents, put, settings_for


def digests(facts: Facts) -> dict[str, str]:
    """What the tables of a task hold."""
    return {written.table: written.digest for written in facts.tables}


def live_through(settings: Settings, days: Mapping[date, DayOfEvents]) -> None:
    for day, events in days.items():
        put(settings, day, events)
        aggregate_day(settings, day)


@pytest.mark.stack
def test_whatever_happens_after_a_day_leaves_its_features_unchanged(lived: Mapping[date, DayOfEvents]) -> None:
    with TemporaryDirectory() as folder:
        settings = settings_for(Path(folder))
        live_through(settings, {day: lived[day] for day in DAYS[:2]})
        before = digests(build_features(settings, DAYS[1]))

        @given(seed=st.integers(0, 1000), share=st.floats(0, 1), twice=st.booleans())
        @hypothesis_settings(max_examples=8, deadline=None)
        def later_days_are_anything(seed: int, share: float, twice: bool) -> None:  # noqa: FBT001
            random = np.random.default_rng(seed)
            for day in DAYS[2:]:
                put(settings, day, {name: changed(rows, random, share, twice) for name, rows in lived[day].items()})
                aggregate_day(settings, day)
            assert digests(build_features(settings, DAYS[1])) == before

        later_days_are_anything()


def changed(rows: pa.Table, random: np.random.Generator, share: float, twice: bool) -> pa.Table:  # noqa: FBT001
    """Some of the rows, in another order, perhaps some of them twice."""
    order = random.permutation(rows.num_rows)[: max(1, round(rows.num_rows * share))]
    return rows.take(pa.array(np.concatenate([order, order[::2]]) if twice else order))


@pytest.mark.stack
def test_a_day_built_again_after_later_days_has_the_same_content(
    tmp_path: Path, lived: Mapping[date, DayOfEvents]
) -> None:
    settings = settings_for(tmp_path)
    first: list[dict[str, str]] = []
    for day in DAYS:
        put(settings, day, lived[day])
        first.append(digests(aggregate_day(settings, day)) | digests(build_features(settings, day)))
    again = [digests(aggregate_day(settings, day)) | digests(build_features(settings, day)) for day in DAYS]
    assert again == first


@pytest.mark.stack
def test_the_order_of_rows_changes_nothing(tmp_path: Path, lived: Mapping[date, DayOfEvents]) -> None:
    random = np.random.default_rng(5)
    shuffled = {
        day: {name: rows.take(pa.array(random.permutation(rows.num_rows))) for name, rows in events.items()}
        for day, events in lived.items()
    }
    results, files = [], []
    for name, days in (("one", lived), ("other", shuffled)):
        settings = settings_for(tmp_path / name)
        live_through(settings, days)
        facts = build_features(settings, DAYS[-1])
        results.append(digests(facts))
        lake = lake_of(settings)
        files.append({written.table: lake.read(written.table, [DAYS[-1]]) for written in facts.tables})
    assert results[0] == results[1]
    for table, rows in files[0].items():
        assert rows.equals(files[1][table]), f"{table} has its rows in another order"


def test_a_snapshot_taken_later_brings_no_product_and_no_buyer_from_the_future(
    tmp_path: Path, lived: Mapping[date, DayOfEvents]
) -> None:
    day, later = DAYS[0], DAYS[-1]
    settings, late = settings_for(tmp_path / "one"), settings_for(tmp_path / "late")
    put(settings, day, lived[day])
    backfilled = {name: lived[later][name] for name in (PRODUCTS, BUYERS)}
    retold = {
        name: rows.set_column(0, "dt", pa.array([day] * rows.num_rows, pa.date32()))
        for name, rows in backfilled.items()
    }
    put(late, day, {**lived[day], **retold})
    for each in (settings, late):
        aggregate_day(each, day)
        build_features(each, day)
    for table, key in (("features/product", "product_id"), ("features/buyer", "account_id")):
        known = [set(lake_of(each).read(table, [day])[key].to_pylist()) for each in (settings, late)]
        assert known[0] == known[1]
    assert pc.min(lake_of(late).read("features/buyer", [day])["buyer_account_age"]).as_py() >= 0
