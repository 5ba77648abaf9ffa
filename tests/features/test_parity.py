"""DuckDB and Spark make the same features, value by value, with Spark across process borders."""

import os
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest

from rankloop.candidates.generation import candidates
from rankloop.candidates.pool import open_candidate_pool
from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.contracts.tables import TEXT, Column, TableSpec
from rankloop.engine.opening import open_engine
from rankloop.features.catalogue import AS_OF, DAILY, FEATURES
from rankloop.features.declarations import ACCOUNT, PRODUCT
from rankloop.features.joining.protocol import BuyerShard
from rankloop.features.joining.sets import SetJoiner
from rankloop.ranking.model import load_model
from rankloop.scoring.lists import as_lists, list_time
from rankloop.scoring.scorer import RANKED, Scorer, build_scorer, top_products
from rankloop.settings import Settings
from tests.building import aggregate_day, build_features, lake_of
from tests.features.conftest import DAYS
from tests.features.joins import store_of
from tests.features.market import DayOfEvents, put, settings_for
from tests.registry import small_model

CLUSTER = "local-cluster[2,1,1024]"
AS_OF_DAY, SHOWN_DAY = DAYS[1], DAYS[2]

RANKINGS, GROUP = "rankings", 3
JOINED = TableSpec("joined", (Column("request_id", TEXT, "the list"), PRODUCT), (ACCOUNT, *FEATURES))
SHAPES = [*(builder.spec for builder in (*DAILY, *AS_OF)), JOINED]

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not (shutil.which("java") or os.environ.get("JAVA_HOME")), reason="Spark needs Java 17"),
    # Py4J leaves its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def make(settings: Settings) -> None:
    """The day's aggregates and features, and half of the next day's lists joined with them."""
    aggregate_day(settings, AS_OF_DAY)
    build_features(settings, AS_OF_DAY)
    lake = lake_of(settings)
    with open_engine(settings.features) as engine:
        lists = engine.read(lake.files(SHOWN, [SHOWN_DAY]), EVENT_SCHEMAS[SHOWN])
        joiner = SetJoiner(engine, store_of(settings), lists, AS_OF_DAY, shard=BuyerShard(1, 2))
        engine.write(lake, JOINED, joiner.table(), SHOWN_DAY)
        # With every buyer's ranking in the same session: to start another takes longer than all else here.
        pool = open_candidate_pool(engine, lake, AS_OF_DAY, GROUP, settings.scoring, settings.features.seen_days)
        drawn = engine.materialise(
            as_lists(candidates(pool), list_time(AS_OF_DAY, settings.zone, settings.scoring.hour))
        )
        top_n = settings.scoring.top_n
        best = pa.concat_tables(
            top_products(engine, store_of(settings), drawn, AS_OF_DAY, scorer=a_scorer(), top_n=top_n)
        )
        lake.replace_day(RANKINGS, AS_OF_DAY, best, RANKED.insert(0, pa.field("dt", pa.date32())))


def a_scorer() -> Scorer:
    """A model that travels."""
    with TemporaryDirectory() as folder:
        return build_scorer(load_model(small_model.write(Path(folder))), "digest")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, lived: Mapping[date, DayOfEvents]) -> tuple[Settings, Settings]:
    """The same days on either engine."""
    folder = tmp_path_factory.mktemp("parity")
    duck = settings_for(folder / "duckdb")
    for day in DAYS[:3]:
        put(duck, day, lived[day])
    aggregate_day(duck, DAYS[0])
    shutil.copytree(folder / "duckdb", folder / "spark")
    few = {"spark.sql.shuffle.partitions": "4", "spark.default.parallelism": "4"}
    spark = settings_for(folder / "spark", engine="spark", spark_master=CLUSTER, spark=few)
    make(duck)
    with open_engine(spark.features):  # one session for all, since a cluster of three processes takes long to start
        make(spark)
    return duck, spark


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_both_engines_make_the_same_values_in_every_column(both: tuple[Settings, Settings], shape: TableSpec) -> None:
    day = SHOWN_DAY if shape is JOINED else AS_OF_DAY
    duck, spark = (lake_of(settings).read(shape.name, [day]) for settings in both)
    order = [(key, "ascending") for key in shape.keys]
    duck, spark = duck.sort_by(order), spark.sort_by(order)
    assert duck.num_rows == spark.num_rows > 0
    for column in shape.schema.names:
        assert duck[column].combine_chunks().equals(spark[column].combine_chunks()), column
    assert lake_of(both[0]).digest(shape.name, day) == lake_of(both[1]).digest(shape.name, day)


def test_both_engines_give_every_buyer_the_same_ranking(both: tuple[Settings, Settings]) -> None:
    duck, spark = (lake_of(settings).read(RANKINGS, [AS_OF_DAY]) for settings in both)
    assert duck.num_rows > 100
    assert len(set(duck["score"].to_pylist())) > 1
    assert duck.equals(spark)
