"""Features of a day know that day and those before it, and nothing else; built again they are the same."""

from collections.abc import Mapping
from datetime import date, timedelta
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
from rankloop.features.build import BuildResult
from rankloop.settings import Settings
from tests.building import aggregate_day, build_features, lake_of
from tests.features.conftest import DAYS
from tests.features.market import (
    FIRST_DAY,
    DayOfEvents,
    account,
    build,
    day_of,
    instant,
    product,
    put,
    rows,
    settings_for,
)


def digests(facts: BuildResult) -> dict[str, str]:
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
    for table, content in files[0].items():
        assert content.equals(files[1][table]), f"{table} has its rows in another order"


KEPT = ("buyer_gender", "buyer_city_id", "buyer_city_rank", "buyer_city_tier", "buyer_account_age")
MOVED = (
    "buyer_days_since_order",
    "buyer_total_orders",
    "buyer_cancel_share",
    "buyer_rating_share",
    "buyer_email_verified",
    "buyer_phone_verified",
)


@pytest.fixture(scope="module")
def taken_in_time_and_later(
    tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]
) -> tuple[Settings, Settings]:
    """Features of the first day, once with the snapshots of its own night and once with those of the last."""
    day, later = DAYS[0], DAYS[-1]
    settings, late = (settings_for(tmp_path_factory.mktemp(name)) for name in ("in_time", "late"))
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
    return settings, late


def test_a_snapshot_taken_later_brings_no_product_and_no_buyer_from_the_future(
    taken_in_time_and_later: tuple[Settings, Settings],
) -> None:
    for table, key in (("features/product", "product_id"), ("features/buyer", "account_id")):
        known = [set(lake_of(each).read(table, DAYS[:1])[key].to_pylist()) for each in taken_in_time_and_later]
        assert known[0] == known[1]
    late = lake_of(taken_in_time_and_later[1]).read("features/buyer", DAYS[:1])
    assert pc.min(late["buyer_account_age"]).as_py() >= 0


def test_what_an_account_has_become_since_a_day_is_unknown_on_that_day(
    taken_in_time_and_later: tuple[Settings, Settings], lived: Mapping[date, DayOfEvents]
) -> None:
    in_time, late = (
        {row["account_id"]: row for row in lake_of(each).read("features/buyer", DAYS[:1]).to_pylist()}
        for each in taken_in_time_and_later
    )
    end = instant(DAYS[1], 0)
    accounts = lived[DAYS[-1]][BUYERS].select(["account_id", "updated_at"]).to_pylist()
    changed = {row["account_id"] for row in accounts if row["updated_at"] >= end} & set(in_time)
    assert 0 < len(changed) < len(in_time)
    assert any(in_time[buyer][name] is not None for buyer in changed for name in MOVED)
    for buyer, row in in_time.items():
        expected = dict.fromkeys(MOVED) if buyer in changed else {name: row[name] for name in MOVED}
        assert {name: late[buyer][name] for name in MOVED} == expected
        assert {name: late[buyer][name] for name in KEPT} == {name: row[name] for name in KEPT}


@pytest.mark.parametrize(("second", "orders"), [(-1, 4.0), (0, None)])
def test_an_account_is_known_as_it_was_before_the_end_of_the_day(
    tmp_path: Path, second: int, orders: float | None
) -> None:
    settings, day = settings_for(tmp_path), FIRST_DAY
    end = instant(day + timedelta(days=1), 0)
    updated = account(1, total_order=4.0, updated_at=end + timedelta(seconds=second))
    created = account(2, created_at=end + timedelta(seconds=second))
    build(settings, {day: day_of(day, products=[product(1)], buyers=[updated, created])})
    found = {row["account_id"]: row["buyer_total_orders"] for row in rows(settings, "features/buyer", day)}
    assert found == {1: orders, **({2: 0.0} if second < 0 else {})}
