"""What is gathered is what is joined, to the last bit, whoever and whatever stands in the lists."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.engine.duck import open_duck
from rankloop.features.catalogue import FAMILIES, FEATURES, feature_names
from rankloop.features.joining.arrays import Gatherer, Matrix
from rankloop.features.joining.sets import LIST_COLUMNS, JoinError, join_features, joined_schema
from rankloop.ranking.preprocessing import learn, prepared
from rankloop.scoring.shelf import narrow
from rankloop.settings import Settings
from rankloop.settings.training import PreprocessingSettings
from tests.building import aggregate_day, build_features
from tests.features.conftest import DAYS
from tests.features.market import ZONE, DayOfEvents, in_memory, instant, put, settings_for

KEYS = ["request_id", "product_id"]
STRANGERS, GONE = 3, 5
"""Buyers and products that nobody knows."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]) -> Settings:
    """Features as of a day of a small market."""
    settings = settings_for(tmp_path_factory.mktemp("gather"))
    for day in DAYS[:2]:
        put(settings, day, lived[day])
        aggregate_day(settings, day)
    build_features(settings, DAYS[1])
    return settings


def drawn_lists(lived: Mapping[date, DayOfEvents], seed: int) -> pa.Table:
    """Lists of any buyers and products at any time, known to the market or not, of any length, scores often equal."""
    random = np.random.default_rng(seed)
    shown = lived[DAYS[1]][SHOWN]
    buyers = np.append(np.unique(shown["account_id"].to_numpy()), np.arange(STRANGERS) + 10**9)
    products = np.append(np.unique(shown["product_id"].to_numpy()), np.arange(GONE) + 10**9)
    rows = []
    for number in range(40):
        buyer, moment = int(random.choice(buyers)), instant(DAYS[2], int(random.integers(0, 24)))
        # In few digits scores are often equal, and in seven some are a half where they are rounded.
        digits = int(random.choice([1, 7]))
        surface = str(random.choice(["home", "category", "search"]))
        rows += [
            {
                "request_id": f"q{number}",
                "account_id": buyer,
                "product_id": int(one),
                "ts": moment + timedelta(milliseconds=int(random.integers(0, 999))),
                "surface": surface,
                "base_score": round(float(random.random()), digits),
            }
            for one in random.choice(products, random.integers(1, 60), replace=False)
        ]
    # What a buyer was really shown is among what is known of the buyer; the rest mostly is not.
    drawn = pa.Table.from_pylist(rows, pa.schema([EVENT_SCHEMAS[SHOWN].field(name) for name in LIST_COLUMNS]))
    return pa.concat_tables([drawn, shown.slice(seed * 500, 1500).select(LIST_COLUMNS)])


def both(settings: Settings, lists: pa.Table, features: list[str]) -> tuple[Matrix, Matrix]:
    """The matrix gathered, and the one made from a join, row by row the same rows."""
    with open_duck(settings.features) as engine:
        asked = in_memory(engine, lists)
        joined = engine.batches(join_features(engine, settings, asked, DAYS[1]), joined_schema(lists.schema))
        table = joined.read_all()
        place = {key: number for number, key in enumerate(keys(table))}
        table = table.take([place[key] for key in keys(lists)]).combine_chunks()
        [batch] = table.to_batches()
        plain = narrow(batch, tuple(features))
        learned = learn(
            PreprocessingSettings(), ((name, plain[name].to_numpy(zero_copy_only=False)) for name in features)
        )
        columns = {column.name: column for column in learned.columns}

        def prepare(name: str, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return prepared(values, columns[name])

        found = Gatherer(engine, settings, asked, DAYS[1], learned.features, prepare).join(lists)
        gathered = np.concatenate([block.copy() for block in found.blocks()])
        assert found.base_rank.tolist() == table["context_base_rank"].to_pylist()
        return gathered, learned.apply(plain)


def keys(rows: pa.Table) -> list[tuple[str, int]]:
    return list(zip(rows["request_id"].to_pylist(), rows["product_id"].to_pylist(), strict=True))


# In Sydney the clocks change within the third of the days.
@pytest.mark.parametrize(("seed", "zone"), [(0, ZONE), (1, ZONE), (2, "Australia/Sydney")])
def test_what_is_gathered_is_what_is_joined_bit_by_bit(
    known: Settings, lived: Mapping[date, DayOfEvents], seed: int, zone: str
) -> None:
    there = known.model_copy(update={"timezone": zone})
    gathered, joined = both(there, drawn_lists(lived, seed), feature_names())
    assert gathered.shape[1] > 80
    assert np.array_equal(gathered.view(np.uint32), joined.view(np.uint32))


def test_a_ranker_of_few_features_gets_them_in_its_own_order(
    known: Settings, lived: Mapping[date, DayOfEvents]
) -> None:
    few = ["price_rank_gap", "product_ctr", "buyer_ctr", "product_price", "context_hour"]
    gathered, joined = both(known, drawn_lists(lived, 3), few)
    assert gathered.shape[1] == len(few)
    assert np.array_equal(gathered.view(np.uint32), joined.view(np.uint32))


def test_pairs_too_many_for_a_table_are_found_too(
    known: Settings, lived: Mapping[date, DayOfEvents], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rankloop.features.joining.lookups.AT_MOST", 0)
    # With so few marks, many a pair that nobody knows bears one.
    monkeypatch.setattr("rankloop.features.joining.lookups.MARKS", 64)
    gathered, joined = both(known, drawn_lists(lived, 4), feature_names())
    words = [feature_names().index(feature.name) for family in FAMILIES for feature in family.shared]
    assert all(len(np.unique(gathered[:, word])) > 5 for word in words[:2])
    assert np.array_equal(gathered.view(np.uint32), joined.view(np.uint32))


def test_lists_that_lack_a_column_are_refused_by_name(known: Settings, lived: Mapping[date, DayOfEvents]) -> None:
    lists = drawn_lists(lived, 0).drop_columns(["base_score"])
    with open_duck(known.features) as engine, pytest.raises(JoinError, match="base_score"):
        Gatherer(engine, known, in_memory(engine, lists), DAYS[1], ["product_ctr"], lambda _, values: values)


def test_every_feature_is_looked_up_or_an_overlap_or_computed() -> None:
    told = [
        column.name
        for family in FAMILIES
        for columns in (*(lookup.columns for lookup in family.looked_up), family.shared, family.computed)
        for column in columns
        if column in FEATURES
    ]
    assert sorted(told) == sorted(feature_names())
    computing = [family for family in FAMILIES if family.computed]
    assert all(family.compute and family.compute_here for family in computing)
