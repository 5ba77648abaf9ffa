"""Lists joined with the features of a day."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.engine.opening import open_engine
from rankloop.features.catalogue import FEATURES, feature_names
from rankloop.features.joining.joiners import joiner_for
from rankloop.features.joining.protocol import BuyerShard, JoinError
from rankloop.features.joining.sets import SetJoiner
from rankloop.settings import Settings
from tests.building import aggregate_day, build_features, lake_of
from tests.features.conftest import DAYS
from tests.features.joins import store_of
from tests.features.market import (
    FIRST_DAY,
    DayOfEvents,
    account,
    build,
    day_of,
    in_memory,
    instant,
    product,
    put,
    reaction,
    settings_for,
    shown_list,
    table,
)

NEXT_DAY = FIRST_DAY + timedelta(days=1)
BUYER, STRANGER = 1, 99


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Features as of a day on which one buyer saw two products, clicked one twice and ordered it."""
    made = settings_for(tmp_path)
    clicks = [reaction(FIRST_DAY, kind, BUYER, 1, request_id="q0") for kind in ("click", "click", "order")]
    events = day_of(
        FIRST_DAY,
        shown=[*shown_list(FIRST_DAY, "q0", BUYER, [1, 2]), *shown_list(FIRST_DAY, "q1", BUYER, [1])],
        reactions=clicks,
        products=[product(1), product(2, name="kim chỉ", category_path="1/2/1108/4001", final_price=5_000)],
        buyers=[account(BUYER, gender=1.0)],
    )
    build(made, {FIRST_DAY: events})
    return made


def joined(settings: Settings, lists: list[dict[str, Any]], as_of: date = FIRST_DAY) -> list[dict[str, Any]]:
    """Rows of lists with their features, in the order given."""
    rows = table(SHOWN, NEXT_DAY, lists).append_column("line", pa.array(range(len(lists)), pa.int64()))
    with open_engine(settings.features) as engine:
        store = store_of(settings)
        found = SetJoiner(engine, store, in_memory(engine, rows), as_of).table()
        result = engine.batches(found, store.joined_schema(rows.schema)).read_all()
    rows_found: list[dict[str, Any]] = result.sort_by("line").to_pylist()
    return rows_found


def test_a_row_knows_what_its_buyer_did_with_its_product(settings: Settings) -> None:
    known, other = joined(settings, shown_list(NEXT_DAY, "q9", BUYER, [1, 2]))
    assert (known["pair_seen"], known["pair_clicks_28d"], known["pair_orders_28d"]) == (2, 2, 1)
    assert (other["pair_seen"], other["pair_clicks_28d"], other["pair_days_since_look"]) == (1, 0, None)
    assert (known["category4_rank"], other["category4_rank"]) == (1, 100)
    assert (known["category3_share"], other["category3_share"]) == (1.0, 1.0)
    assert known["buyer_shop_orders_28d"] == other["buyer_shop_orders_28d"] == 1


def test_the_name_is_matched_with_the_words_of_the_buyer(settings: Settings) -> None:
    known, other = joined(settings, shown_list(NEXT_DAY, "q9", BUYER, [1, 2]))
    assert (known["word_hits"], other["word_hits"]) == (3, 0)
    assert known["word_match"] == pytest.approx(1, abs=1e-5)
    assert other["word_match"] == 0


def test_a_buyer_and_a_product_nobody_knows_get_the_declared_unknown_values(settings: Settings) -> None:
    [row] = joined(settings, shown_list(NEXT_DAY, "q9", STRANGER, [77]))
    of_the_list = {name for name in feature_names() if name.startswith("context_")}
    for feature in FEATURES:
        if feature.name not in of_the_list:
            assert row[feature.name] == feature.unknown, feature.name


def test_a_stranger_is_still_told_what_is_known_of_the_product(settings: Settings) -> None:
    [row] = joined(settings, shown_list(NEXT_DAY, "q9", STRANGER, [1]))
    assert row["product_clicks_28d"] == 2
    assert row["buyer_clicks_28d"] == 0


def test_the_base_rank_follows_the_base_score_and_never_the_position(settings: Settings) -> None:
    lists = shown_list(NEXT_DAY, "q9", BUYER, [1, 2, 3])
    scores = {1: 0.2, 2: 0.9, 3: 0.9}
    rows = joined(settings, [{**row, "base_score": scores[row["product_id"]]} for row in lists])
    assert {row["product_id"]: row["context_base_rank"] for row in rows} == {2: 1, 3: 2, 1: 3}
    moved = joined(
        settings, [{**row, "base_score": scores[row["product_id"]], "position": 4 - row["position"]} for row in lists]
    )
    assert [{name: row[name] for name in feature_names()} for row in moved] == [
        {name: row[name] for name in feature_names()} for row in rows
    ]


@pytest.mark.parametrize(("hour", "expected"), [(0, 0), (12, 12), (23, 23)])
def test_hour_and_weekday_are_those_of_the_market(settings: Settings, hour: int, expected: int) -> None:
    [row] = joined(settings, [{**shown_list(NEXT_DAY, "q9", BUYER, [1])[0], "ts": instant(NEXT_DAY, hour)}])
    assert (row["context_hour"], row["context_weekday"]) == (expected, NEXT_DAY.weekday())


def test_clocks_that_change_on_the_day_are_heeded(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, timezone="Europe/Berlin", features={"spill_limit": "1GB"})
    changes = date(2026, 10, 25)  # at three in the morning the clocks go back to two
    day = changes - timedelta(days=1)
    events = day_of(day, shown=shown_list(day, "q", BUYER, [1]), products=[product(1)], buyers=[account(BUYER)])
    build(settings, {day: events})
    shown = shown_list(changes, "q9", BUYER, [1])[0]
    times = [f"2026-10-24T{hour}:30:00+00:00" for hour in (22, 23)]
    times += [f"2026-10-25T0{hour}:30:00+00:00" for hour in (0, 1, 2)]
    lists = [{**shown, "request_id": at, "ts": datetime.fromisoformat(at)} for at in times]
    assert [row["context_hour"] for row in joined(settings, lists, day)] == [0, 1, 2, 2, 3]


def test_lists_without_a_column_are_refused_by_name(settings: Settings) -> None:
    rows = table(SHOWN, NEXT_DAY, shown_list(NEXT_DAY, "q9", BUYER, [1])).drop_columns(["base_score"])
    with open_engine(settings.features) as engine, pytest.raises(JoinError, match="base_score"):
        SetJoiner(engine, store_of(settings), in_memory(engine, rows), FIRST_DAY)


def test_lists_that_bring_a_feature_of_their_own_are_refused(settings: Settings) -> None:
    rows = table(SHOWN, NEXT_DAY, shown_list(NEXT_DAY, "q9", BUYER, [1]))
    rows = rows.append_column("product_ctr", pa.array([1.0]))
    with open_engine(settings.features) as engine, pytest.raises(JoinError, match="product_ctr"):
        SetJoiner(engine, store_of(settings), in_memory(engine, rows), FIRST_DAY)


def test_a_day_without_features_is_refused_and_says_how_to_build_it(settings: Settings) -> None:
    with pytest.raises(JoinError, match=f"rankloop features build --day {NEXT_DAY}"):
        joined(settings, shown_list(NEXT_DAY, "q9", BUYER, [1]), NEXT_DAY)


@pytest.mark.stack
def test_lists_joined_in_portions_get_what_they_get_all_at_once(
    tmp_path: Path, lived: Mapping[date, DayOfEvents]
) -> None:
    settings = settings_for(tmp_path)
    for day in DAYS[:2]:
        put(settings, day, lived[day])
        aggregate_day(settings, day)
    build_features(settings, DAYS[1])
    put(settings, DAYS[2], lived[DAYS[2]])
    with open_engine(settings.features) as engine:
        files = lake_of(settings).files(SHOWN, [DAYS[2]])
        lists = engine.read(files, EVENT_SCHEMAS[SHOWN])
        results = []
        for portions in (1, 3):
            batches = [
                batch
                for number in range(portions)
                for batch in joiner_for(
                    engine, store_of(settings), lists, DAYS[1], shard=BuyerShard(number, portions)
                ).rows(feature_names())
            ]
            results.append(
                pa.Table.from_batches(batches).sort_by([("request_id", "ascending"), ("product_id", "ascending")])
            )
    assert results[0].num_rows == lived[DAYS[2]][SHOWN].num_rows
    assert results[0].equals(results[1])


@pytest.mark.stack
def test_pinned_versions_give_the_features_as_they_were(settings: Settings) -> None:
    lake = lake_of(settings)
    pinned = {name: lake.version(name) for name in lake.tables()}
    lists = table(SHOWN, NEXT_DAY, shown_list(NEXT_DAY, "q9", BUYER, [1]))
    quiet = day_of(
        FIRST_DAY,
        shown=shown_list(FIRST_DAY, "q0", BUYER, [1]),
        products=[product(1)],
        buyers=[account(BUYER)],
    )
    build(settings, {FIRST_DAY: quiet})
    with open_engine(settings.features) as engine:
        asked, schema = in_memory(engine, lists), store_of(settings).joined_schema(lists.schema)
        [was], [is_now] = (
            engine.batches(SetJoiner(engine, store, asked, FIRST_DAY).table(), schema).read_all().to_pylist()
            for store in (store_of(settings, versions=pinned), store_of(settings))
        )
    assert (was["pair_seen"], was["pair_clicks_28d"]) == (2, 2)
    assert (is_now["pair_seen"], is_now["pair_clicks_28d"]) == (1, 0)
