"""A source of somebody's own: the one of the how-to page, in a package of theirs, and its path in the settings."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.events.shop import DAY, HANOI, NEXT_DAY, NIGHT, a_buyer, a_list, a_product, a_reaction, at

from rankloop.calendar import day_bounds
from rankloop.context import Context, open_context
from rankloop.contracts.lake import EVENTS
from rankloop.contracts.lake import PRODUCTS as PRODUCT_EVENTS
from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, PERSONAL, PRODUCTS
from rankloop.contracts.sources import SOURCES
from rankloop.events.extraction import SourceSchemaError, extract_day
from rankloop.events.late_events import count_late_events
from rankloop.events.summaries import day_summaries
from rankloop.features.whole_day import build_days
from rankloop.lake.tables import Lake
from rankloop.settings import PREFIX, load_settings
from rankloop.settings.source import SourceSettings
from rankloop.sources.opening import SourceTypeError, open_source
from rankloop.sources.protocol import DayRead, Source, SourceConfig

BEFORE = DAY - timedelta(days=1)
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "extend.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A shop in Parquet files, the source in a package, and settings that name both."""
    [code] = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "ParquetSource" in block
    ]
    (tmp_path / "my_shop").mkdir()
    (tmp_path / "my_shop" / "parquet.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(f"{PREFIX}HOME", str(tmp_path / "home"))
    monkeypatch.setenv(f"{PREFIX}SOURCE__TYPE", "my_shop.parquet.ParquetSource")
    monkeypatch.setenv(f"{PREFIX}SOURCE__OPTIONS", json.dumps({"folder": str(tmp_path)}))
    write(tmp_path, PRODUCTS, *map(a_product, (1, 2, 3)))
    write(tmp_path, BUYERS, *map(a_buyer, (11, 12)))
    write(tmp_path, IMPRESSIONS, a_list("q0", at(23, BEFORE)), a_list("q1", at(9)), a_list("q2", at(21)))
    write(tmp_path, INTERACTIONS, *clicks())
    load_settings.cache_clear()
    yield tmp_path
    load_settings.cache_clear()


def clicks() -> list[dict[str, Any]]:
    """One the day before, one after midnight on a list of that day, one on a list of the day, and one with no price."""
    return [
        a_reaction("i0", at(23.5, BEFORE), request_id="q0"),
        a_reaction("i1", at(0.5), request_id="q0"),
        a_reaction("i2", at(10), request_id="q1"),
        a_reaction("i3", at(12), price=0),
    ]


def write(folder: Path, collection: str, *documents: dict[str, Any]) -> None:
    """Write documents of the marketplace as a file, personal fields and all."""
    rows = [{name: value for name, value in document.items() if name != "_id"} for document in documents]
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{collection}.parquet")


@pytest.fixture
def context(folder: Path, mongo: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """The connections of a task."""
    assert folder.is_dir()
    monkeypatch.setenv(f"{PREFIX}MONGO_URI", mongo)
    monkeypatch.setenv(f"{PREFIX}CLEANING__BAD_SHARE", "0.5")
    with open_context() as opened:
        yield opened


@pytest.mark.stack
def test_a_day_of_it_is_extracted_cleaned_and_built(context: Context) -> None:
    build_days(context.ingestion, context.engine, context.settings.features, [BEFORE, DAY], NIGHT)
    [summary] = day_summaries(context.lake, [DAY])
    kept = {name: (source.rows, source.reasons) for name, source in summary.sources.items()}
    assert kept == {
        BUYERS: (2, {}),
        PRODUCTS: (3, {}),
        IMPRESSIONS: (6, {}),
        INTERACTIONS: (2, {"bad_price": 1}),
    }
    assert context.state["rankloop"]["quarantine"].find_one({}, {"_id": 0, "key": 1}) == {"key": "i3"}
    assert context.lake.rows("features/product")[DAY] == 3
    for table in EVENTS:
        assert not PERSONAL & set(context.lake.read(table, [DAY]).column_names)
    assert context.lake.read(PRODUCT_EVENTS, [DAY])["name"].to_pylist() == ["máy_may 1", "máy_may 2", "máy_may 3"]


@pytest.mark.stack
def test_what_comes_later_is_counted_as_late(context: Context, folder: Path) -> None:
    build_days(context.ingestion, context.engine, context.settings.features, [BEFORE, DAY], NIGHT)
    write(folder, INTERACTIONS, *clicks(), a_reaction("i4", at(23)), a_reaction("i5", at(1, NEXT_DAY)))
    assert count_late_events(context.ingestion, DAY).events == {IMPRESSIONS: 0, INTERACTIONS: 1}


def config_of(path: str, folder: Path) -> SourceConfig:
    """What a source is opened with, where MongoDB must not be asked."""
    settings = SourceSettings(type=path, options={"folder": str(folder)})
    return SourceConfig(settings, HANOI, lambda: pytest.fail("MongoDB was asked"))


def test_it_needs_no_mongodb_to_read_the_shop(folder: Path) -> None:
    source: Source = open_source(config_of("my_shop.parquet.ParquetSource", folder))
    begin, _ = day_bounds(DAY, HANOI)
    assert (
        source.is_complete(DAY),
        source.has_lists_before(begin),
        source.has_lists_before(at(22, BEFORE)),
    ) == (
        True,
        True,
        False,
    )
    source.close()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_shop.parquet.Source", "RANKLOOP_SOURCE__TYPE = 'no_shop.parquet.Source': there is no module no_shop."),
        ("my_shop.parquet.Sauce", "the module my_shop.parquet has no Sauce. Correct the path."),
        ("builtins.str", "is not a source: it lacks close, count_in_day, has_lists_before, is_complete, read"),
    ],
)
def test_a_path_that_is_no_source_is_refused_in_words(folder: Path, path: str, message: str) -> None:
    with pytest.raises(SourceTypeError) as refused:
        open_source(config_of(path, folder))
    assert message in str(refused.value)


def test_a_column_beyond_the_contract_is_refused_before_it_reaches_the_lake(folder: Path, tmp_path: Path) -> None:
    class Careless:
        def read_day(self, *_: object) -> DayRead:
            return DayRead(iter(pq.read_table(folder / "buyers.parquet").to_batches()))

    ingestion: Any = SimpleNamespace(source=Careless(), zone=HANOI, lake=Lake(tmp_path / "lake"))
    with pytest.raises(SourceSchemaError, match=r"gave buyers with other columns .*account_email: string.* personal"):
        extract_day(ingestion, DAY, BUYERS, NIGHT)
    assert not ingestion.lake.has(SOURCES[BUYERS].raw_table)
