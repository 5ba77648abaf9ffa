"""Rows with their features are the joined ones in 32 bits, whichever features are asked for."""

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from rankloop.engine.duck import open_duck
from rankloop.features.catalogue import feature_names
from rankloop.features.joining.rows import rows_with
from rankloop.features.joining.sets import Portion, join_features, joined_schema
from rankloop.settings import Settings
from tests.features.conftest import DAYS
from tests.features.market import DayOfEvents, in_memory
from tests.features.test_gather import drawn_lists, known

__all__ = ["known"]
KEYS = [("request_id", "ascending"), ("product_id", "ascending")]


@pytest.mark.parametrize("features", [feature_names(), ["product_ctr"], ["price_rank_gap", "buyer_ctr"]])
@pytest.mark.parametrize("portions", [1, 3])
def test_they_are_what_a_join_gives(
    known: Settings,
    lived: Mapping[date, DayOfEvents],
    features: Sequence[str],
    portions: int,
) -> None:
    lists = drawn_lists(lived, 5)
    with open_duck(known.features) as engine:
        asked = in_memory(engine, lists)
        shares = (Portion(number, portions) for number in range(portions))
        found = pa.Table.from_batches(
            batch for share in shares for batch in rows_with(engine, known, asked, DAYS[1], features, portion=share)
        )
        joined = join_features(engine, known, asked, DAYS[1]).select(*lists.column_names, *features)
        kinds = joined_schema(lists.schema)
        schema = pa.schema([*lists.schema, *(kinds.field(name) for name in features)])
        expected = engine.batches(joined, schema).read_all()
    for name in features:
        place = expected.column_names.index(name)
        expected = expected.set_column(place, name, pc.cast(expected[name], pa.float32(), safe=False))
    assert found.num_rows == lists.num_rows
    assert found.sort_by(KEYS).equals(expected.sort_by(KEYS))


def test_no_lists_are_no_rows(known: Settings, lived: Mapping[date, DayOfEvents]) -> None:
    with open_duck(known.features) as engine:
        nothing = in_memory(engine, drawn_lists(lived, 0).slice(0, 0))
        assert list(rows_with(engine, known, nothing, DAYS[1], ["product_ctr"])) == []
