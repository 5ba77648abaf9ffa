"""Both joiners give the same, to the last bit, whoever and whatever stands in the lists."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pytest

from rankloop.contracts.tables import FLOAT, INT
from rankloop.engine.duck import open_duck
from rankloop.features.catalogue import FAMILIES, FEATURES, feature_names
from rankloop.features.declarations import (
    Family,
    Feature,
    FeatureDeclarationError,
    Floats,
    Lookup,
    RowFeatures,
)
from rankloop.features.families import product
from rankloop.features.joining.arrays import ArrayJoiner, as_it_is
from rankloop.features.joining.index import FeatureIndex
from rankloop.features.joining.protocol import JoinError
from rankloop.features.joining.sets import SetJoiner
from rankloop.ranking.preprocessing import learn
from rankloop.settings import Settings
from rankloop.settings.training import PreprocessingSettings
from tests.features.conftest import DAYS
from tests.features.joins import JOINERS, drawn_lists, matrix_of, same_bits, store_of
from tests.features.market import ZONE, DayOfEvents, in_memory

LEAN = Feature("toy_lean", FLOAT, "base score by price", None, "ratio")
CALLED = Feature("toy_clicks", INT, "clicks on the product", 0, "count")


def lean_expression(rows: ir.Table, _known: object) -> ir.Table:
    """Add the toy feature in Ibis."""
    return rows.mutate(toy_lean=rows["base_score"] / rows["product_price"].nullif(0))


def lean_arrays(rows: pa.Table, _known: object) -> dict[str, Floats]:
    """Compute the toy feature in NumPy."""
    price = np.asarray(rows["product_price"].to_numpy(), np.float64)
    return {"toy_lean": rows["base_score"].to_numpy() / np.where(price == 0, np.nan, price)}


def clicks_of(known: Any) -> ir.Table:  # noqa: ANN401  (as families have it)
    """Look up the toy's own name for a column of the products."""
    return known.read(product.TABLE.name).select("product_id", toy_clicks="product_clicks_28d")


TOY = Family(
    "toy",
    "A toy.",
    (LEAN, CALLED),
    looked_up=(Lookup(clicks_of, {"product_id": "product_id"}, (CALLED,)),),
    row_features=RowFeatures(lean_expression, lean_arrays, inputs=("product_price",)),
)


def assert_alike(
    settings: Settings, lists: pa.Table, features: Sequence[str], families: tuple[Family, ...] = FAMILIES
) -> np.ndarray:
    """Hold both joiners to the same matrix, as it is and as a ranker learned to see it; return the matrix."""
    store = store_of(settings, families=families)
    with open_duck(settings.features) as engine:
        asked = in_memory(engine, lists)
        sets, arrays = (joiner(engine, store, asked, DAYS[1]) for joiner in JOINERS)
        (plain, ranks), (gathered, gathered_ranks) = matrix_of(sets, features), matrix_of(arrays, features)
        learned = {
            column.name: column
            for column in learn(PreprocessingSettings(), zip(features, plain.T, strict=True)).columns
        }
        seen_by_ranker = [matrix_of(joiner, list(learned), learned)[0] for joiner in (sets, arrays)]
    assert len(plain) == lists.num_rows
    assert ranks == gathered_ranks
    assert same_bits(plain, gathered)
    assert same_bits(*seen_by_ranker)
    return gathered


# In Sydney the clocks change within the third of the days.
@pytest.mark.parametrize(("seed", "zone"), [(0, ZONE), (1, ZONE), (2, "Australia/Sydney")])
def test_both_joiners_give_the_same_matrix_bit_by_bit(
    known: Settings, lived: Mapping[date, DayOfEvents], seed: int, zone: str
) -> None:
    there = known.model_copy(update={"timezone": zone})
    gathered = assert_alike(there, drawn_lists(lived, seed), feature_names())
    assert sum(len(np.unique(column)) > 1 for column in gathered.T) > 80


def test_a_ranker_of_few_features_gets_them_in_its_own_order(
    known: Settings, lived: Mapping[date, DayOfEvents]
) -> None:
    few = ["price_rank_gap", "product_ctr", "buyer_ctr", "product_price", "context_hour"]
    assert_alike(known, drawn_lists(lived, 3), few)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_feature_of_every_family_is_given_by_both_joiners(
    known: Settings, lived: Mapping[date, DayOfEvents], family: Family
) -> None:
    names = [feature.name for feature in family.features]
    gathered = assert_alike(known, drawn_lists(lived, 5).slice(0, 800), names)
    # What no joiner had written would be whatever was in memory.
    assert np.all(np.isnan(gathered) | (np.abs(gathered) < 1e12))


def test_pairs_too_many_for_a_table_are_found_too(
    known: Settings, lived: Mapping[date, DayOfEvents], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rankloop.features.joining.lookups.AT_MOST", 0)
    # With so few marks, many a pair that nobody knows bears one.
    monkeypatch.setattr("rankloop.features.joining.lookups.MARKS", 64)
    gathered = assert_alike(known, drawn_lists(lived, 4), feature_names())
    words = [feature_names().index(feature.name) for family in FAMILIES for feature in family.shared]
    assert all(len(np.unique(gathered[:, word])) > 5 for word in words[:2])


@pytest.mark.parametrize(("piece_rows", "joiners"), [(1, [ArrayJoiner]), (100, JOINERS)])
def test_rows_joined_in_pieces_are_those_joined_at_once(
    known: Settings,
    lived: Mapping[date, DayOfEvents],
    monkeypatch: pytest.MonkeyPatch,
    piece_rows: int,
    joiners: Sequence[Any],
) -> None:
    names, store = ["product_ctr", "context_list_length", "pair_seen", "word_hits"], store_of(known)
    with open_duck(known.features) as engine:
        asked = in_memory(engine, drawn_lists(lived, 6))
        at_once = matrix_of(ArrayJoiner(engine, store, asked, DAYS[1]), names)
        monkeypatch.setattr("rankloop.features.joining.arrays.PIECE_ROWS", piece_rows)
        monkeypatch.setattr("rankloop.features.joining.protocol.SHARD_ROWS", 700)
        in_pieces = [matrix_of(joiner(engine, store, asked, DAYS[1]), names) for joiner in joiners]
    assert all(same_bits(matrix, at_once[0]) and ranks == at_once[1] for matrix, ranks in in_pieces)


def test_features_of_the_next_day_are_taken_where_the_day_itself_knows_them(
    known_twice: Settings, lived: Mapping[date, DayOfEvents]
) -> None:
    names, later = ["product_price", "buyer_city_rank", "product_ctr"], ["product_price", "buyer_city_rank"]
    store, lists = store_of(known_twice), drawn_lists(lived, 7)
    with open_duck(known_twice.features) as engine:
        asked = in_memory(engine, lists)
        [sets, arrays] = [
            matrix_of(joiner(engine, store, asked, DAYS[1], next_day=later), names)[0] for joiner in JOINERS
        ]
        before, after = (matrix_of(ArrayJoiner(engine, store, asked, day), names)[0] for day in DAYS[1:3])
    assert same_bits(sets, arrays)
    assert same_bits(arrays[:, 2], before[:, 2])
    assert same_bits(arrays[:, :2], np.where(np.isnan(before), np.float32(np.nan), after)[:, :2])
    assert not same_bits(arrays[:, :2], before[:, :2])


def test_an_index_of_the_whole_day_gives_what_one_of_the_lists_gives(
    known: Settings, lived: Mapping[date, DayOfEvents]
) -> None:
    names, store = feature_names(), store_of(known)
    lists = drawn_lists(lived, 9).sort_by([("request_id", "ascending"), ("product_id", "ascending")])
    with open_duck(known.features) as engine:
        expected, _ = matrix_of(ArrayJoiner(engine, store, in_memory(engine, lists), DAYS[1]), names)
        index = FeatureIndex(engine, store, None, DAYS[1], names, pa.schema([]), as_it_is)
    # The engine is gone: all that lists are asked about is in memory.
    assert same_bits(np.concatenate([block.copy() for block in index.join(lists).blocks]), expected)


@pytest.mark.parametrize("joiner", JOINERS)
def test_lists_that_lack_a_column_are_refused_by_name(
    known: Settings, lived: Mapping[date, DayOfEvents], joiner: type[SetJoiner] | type[ArrayJoiner]
) -> None:
    lists = drawn_lists(lived, 0).drop_columns(["base_score"])
    with open_duck(known.features) as engine, pytest.raises(JoinError, match="base_score"):
        joiner(engine, store_of(known), in_memory(engine, lists), DAYS[1])


@pytest.mark.parametrize("joiner", JOINERS)
def test_a_feature_that_no_family_declares_is_refused_by_name(
    known: Settings, lived: Mapping[date, DayOfEvents], joiner: type[SetJoiner] | type[ArrayJoiner]
) -> None:
    with open_duck(known.features) as engine, pytest.raises(JoinError, match="product_luck"):
        matrix_of(joiner(engine, store_of(known), in_memory(engine, drawn_lists(lived, 0)), DAYS[1]), ["product_luck"])


def test_every_feature_is_looked_up_or_an_overlap_or_computed() -> None:
    given = [
        column.name
        for family in FAMILIES
        for columns in (*(lookup.columns for lookup in family.looked_up), family.shared, family.computed)
        for column in columns
        if column in FEATURES
    ]
    assert sorted(given) == sorted(feature_names())


def test_a_new_family_is_given_by_both_joiners_from_its_declaration(
    known: Settings, lived: Mapping[date, DayOfEvents]
) -> None:
    lists = drawn_lists(lived, 8)
    gathered = assert_alike(
        known, lists, ["toy_lean", "product_price", "toy_clicks", "product_clicks_28d"], (*FAMILIES, TOY)
    )
    lean, price, clicks, declared_clicks = gathered.T
    assert np.array_equal(clicks, declared_clicks)
    assert len(np.unique(lean[~np.isnan(lean)])) > 100
    assert np.array_equal(np.isnan(lean), np.isnan(price))


def test_a_family_that_computes_by_an_expression_alone_is_refused_when_it_is_declared() -> None:
    without: Any = None
    with pytest.raises(FeatureDeclarationError, match=r"toy computes toy_lean by an Ibis expression alone.*`arrays`"):
        Family("toy", "A toy.", (LEAN,), row_features=RowFeatures(lean_expression, without))


def test_a_family_that_gives_some_feature_no_value_is_refused_when_it_is_declared() -> None:
    with pytest.raises(FeatureDeclarationError, match=r"toy_lean.*row_features"):
        Family("toy", "A toy.", (LEAN, CALLED), looked_up=TOY.looked_up)


def test_arrays_that_leave_out_a_declared_feature_are_refused_by_name(
    known: Settings, lived: Mapping[date, DayOfEvents]
) -> None:
    forgetful = Family("toy", "A toy.", (LEAN,), row_features=RowFeatures(lean_expression, lambda *_: {}))
    store, names = store_of(known, families=(*FAMILIES, forgetful)), ["toy_lean"]
    with open_duck(known.features) as engine, pytest.raises(JoinError, match="toy_lean"):
        matrix_of(ArrayJoiner(engine, store, in_memory(engine, drawn_lists(lived, 0)), DAYS[1]), names)
