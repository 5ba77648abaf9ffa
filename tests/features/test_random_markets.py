"""Both joiners agree on any small market, down to markets of which next to nothing is known."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, SHOWN
from rankloop.engine.duck import open_duck
from rankloop.features.catalogue import AS_OF, feature_names
from rankloop.features.families import buyer_category, buyer_word, product
from rankloop.features.joining.protocol import LIST_COLUMNS
from tests.features.joins import JOINERS, matrix_of, same_bits, store_of
from tests.features.market import FIRST_DAY, in_memory, instant, settings_for

WORDS = np.array(["kim", "chỉ", "vải", "áo", "nón"])
PATHS = np.array(["1/2/1108/4001", "1/2/1108/4002", "1/3/1200/4003", "7", ""])
IDS = {"account_id": 4, "product_id": 6, "shop_id": 3}
"""Ids are drawn from few, so that rows often meet."""
ONCE = {
    buyer_word.TABLE.name: ("account_id", "word"),
    buyer_category.TABLE.name: ("account_id", "depth", "category"),
}
"""Of tables that are looked up by other columns than their key, those that are one row's."""
BOUNDS = {"rank": 3, "depth": 4}


@st.composite
def markets(draw: st.DrawFn) -> tuple[dict[str, pa.Table], pa.Table, pa.Table]:
    """Draw the tables of a day's features, what was shown on it, and lists of the day after."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    unknown = draw(st.sampled_from([0.0, 0.3, 1.0]))
    tables = {
        builder.spec.name: _rows(
            random,
            builder.spec.schema,
            ONCE.get(builder.spec.name, builder.spec.keys),
            # A day without products has no features.
            draw(st.integers(builder.spec.name == product.TABLE.name, 30)),
            0.0 if builder.spec.name == buyer_word.TABLE.name else unknown,
        )
        for builder in AS_OF
    }
    keys = ("request_id", "product_id")
    shown = _rows(random, EVENT_SCHEMAS[SHOWN], keys, draw(st.integers(0, 20)), 0.0)
    lists = _rows(random, EVENT_SCHEMAS[SHOWN], keys, draw(st.integers(1, 20)), 0.0).select(LIST_COLUMNS)
    # A list is one buyer's.
    buyer = [int(name[1:]) % 5 for name in lists["request_id"].to_pylist()]
    return tables, shown, lists.set_column(1, "account_id", pa.array(buyer, pa.int64()))


def _rows(random: np.random.Generator, schema: pa.Schema, keys: tuple[str, ...], many: int, unknown: float) -> pa.Table:
    """Draw rows of a table, each key once."""
    schema = pa.schema([field for field in schema if field.name != DAY])
    columns = {field.name: _column(random, field, many, 0.0 if field.name in keys else unknown) for field in schema}
    rows, seen, kept = pa.table(columns, schema=schema), set[object](), []
    for number, key in enumerate(zip(*(rows[name].to_pylist() for name in keys), strict=True)):
        if key not in seen:
            seen.add(key)
            kept.append(number)
    return rows.take(pa.array(kept, pa.int64())).sort_by([(name, "ascending") for name in keys])


def _column(random: np.random.Generator, field: pa.Field, many: int, unknown: float) -> pa.Array:
    mask = random.random(many) < unknown
    if pa.types.is_string(field.type):
        texts = {
            "request_id": np.array([f"q{number}" for number in range(8)]),
            "surface": np.array(["home", "category", "search"]),
            "word": WORDS,
            "name": np.array(["kim chỉ", "áo  vải", "nón", ""]),
        }
        return pa.array(random.choice(texts.get(field.name, PATHS), many), pa.string(), mask=mask)
    if pa.types.is_timestamp(field.type):
        hours = random.integers(0, 24, many).tolist()
        return pa.array([instant(FIRST_DAY + timedelta(days=1), hour) for hour in hours], field.type)
    if field.name in IDS:
        return pa.array(random.integers(0, IDS[field.name], many), field.type)
    if pa.types.is_floating(field.type):
        return pa.array(random.random(many).round(int(random.integers(1, 9))), field.type, mask=mask)
    return pa.array(random.integers(1, BOUNDS.get(field.name, 9) + 1, many), field.type, mask=mask)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(market=markets())
def test_both_joiners_agree_on_any_small_market(market: tuple[dict[str, pa.Table], pa.Table, pa.Table]) -> None:
    tables, shown, lists = market
    with TemporaryDirectory() as folder:
        store = store_of(settings_for(Path(folder)))
        for table, rows in {**tables, SHOWN: shown}.items():
            store.lake.replace_day(table, FIRST_DAY, rows, pa.schema([(DAY, pa.date32()), *rows.schema]))
        with open_duck(store.settings) as engine:
            asked = in_memory(engine, lists)
            joined = [matrix_of(joiner(engine, store, asked, FIRST_DAY), feature_names()) for joiner in JOINERS]
    (sets, set_ranks), (arrays, array_ranks) = joined
    assert set_ranks == array_ranks
    assert same_bits(sets, arrays)
