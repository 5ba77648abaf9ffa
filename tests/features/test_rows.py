"""Rows with their features are the joined ones in 32 bits, whichever features are asked for."""

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from rankloop.engine.duck import open_duck
from rankloop.features.catalogue import feature_names
from rankloop.features.joining.arrays import ArrayJoiner
from rankloop.features.joining.protocol import BuyerShard
from rankloop.features.joining.sets import SetJoiner
from rankloop.settings import Settings
from tests.features.conftest import DAYS
from tests.features.joins import JOINERS, drawn_lists, store_of
from tests.features.market import DayOfEvents, in_memory

KEYS = [("request_id", "ascending"), ("product_id", "ascending")]


@pytest.mark.parametrize("joiner", JOINERS)
@pytest.mark.parametrize("features", [feature_names(), ["product_ctr"], ["price_rank_gap", "buyer_ctr"]])
@pytest.mark.parametrize("shards", [1, 3])
def test_rows_are_what_a_join_gives(
    known: Settings,
    lived: Mapping[date, DayOfEvents],
    joiner: type[SetJoiner] | type[ArrayJoiner],
    features: Sequence[str],
    shards: int,
) -> None:
    lists, store = drawn_lists(lived, 5), store_of(known)
    with open_duck(known.features) as engine:
        asked = in_memory(engine, lists)
        rows = pa.Table.from_batches(
            batch
            for number in range(shards)
            for batch in joiner(engine, store, asked, DAYS[1], shard=BuyerShard(number, shards)).rows(features)
        )
        joined = SetJoiner(engine, store, asked, DAYS[1]).table().select(*lists.column_names, *features)
        kinds = store.joined_schema(lists.schema)
        schema = pa.schema([*lists.schema, *(kinds.field(name) for name in features)])
        expected = engine.batches(joined, schema).read_all()
    for name in features:
        place = expected.column_names.index(name)
        expected = expected.set_column(place, name, pc.cast(expected[name], pa.float32(), safe=False))
    assert rows.num_rows == lists.num_rows
    assert rows.sort_by(KEYS).equals(expected.sort_by(KEYS))


@pytest.mark.parametrize("joiner", JOINERS)
def test_no_lists_are_no_rows(
    known: Settings, lived: Mapping[date, DayOfEvents], joiner: type[SetJoiner] | type[ArrayJoiner]
) -> None:
    with open_duck(known.features) as engine:
        nothing = in_memory(engine, drawn_lists(lived, 0).slice(0, 0))
        rows = joiner(engine, store_of(known), nothing, DAYS[1]).rows(["product_ctr"])
        assert sum(batch.num_rows for batch in rows) == 0
