"""Against the simulator's own record of its dirt: all of it is found, by the right name, and nothing else is."""

import ast
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankloop.contracts.lake import BUYERS as BUYERS_TABLE
from rankloop.contracts.lake import PRODUCTS as PRODUCTS_TABLE
from rankloop.contracts.lake import REACTIONS, SHOWN
from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, PERSONAL, PRODUCTS
from rankloop.settings import Settings
from rankloop_demo.simulator.dirt import SOILS
from tests.building import aggregate_day, build_features
from tests.events.lived import DAYS, Lived, Stain, mended
from tests.events.shop import HANOI

pytestmark = pytest.mark.stack

REPAIRED = {"white_space": "white_space", "decomposed_unicode": "unicode"}
EVENT_SOURCES = (IMPRESSIONS, INTERACTIONS)


def home_day(town: Lived, stain: Stain, arrived: date) -> date:
    """The day that a stained event belongs to."""
    if stain["kind"] == "future_time" or stain["field"] == "ts":
        return arrived
    return town.document(stain)["ts"].astimezone(HANOI).date()  # type: ignore[no-any-return]


def expected(town: Lived) -> set[tuple[str, str, str, str]]:
    """What should be in quarantine: day, collection, document and reason."""
    events = {
        (str(home_day(town, stain, day)), stain["collection"], stain["id"], stain["kind"])
        for day, stains in town.stains.items()
        for stain in stains
        if stain["collection"] in EVENT_SOURCES and stain["kind"] not in {*REPAIRED, "late"}
    }
    return events | {
        (str(day), stain["collection"], stain["id"], stain["kind"])
        for day, stains in town.standing.items()
        for stain in stains
        if stain["kind"] not in REPAIRED
    }


def quarantine(town: Lived) -> list[dict[str, Any]]:
    return list(town.ingestion.state["rankloop"]["quarantine"].find())


def test_quarantine_holds_exactly_the_dirty_rows_each_with_its_reason(town: Lived) -> None:
    found = {(entry["day"], entry["collection"], entry["id"], entry["reason"]) for entry in quarantine(town)}
    assert found == expected(town)
    assert len(found) == len(quarantine(town))


def test_every_kind_of_dirt_was_there_to_be_found(town: Lived) -> None:
    kinds = Counter((stain["collection"], stain["kind"]) for stains in town.stains.values() for stain in stains)
    wanted = {(collection, kind) for collection, soils in SOILS.items() for kind in soils}
    wanted |= {(IMPRESSIONS, "duplicate"), (INTERACTIONS, "duplicate"), (INTERACTIONS, "late")}
    assert wanted <= set(kinds)


def test_quarantine_names_the_field_and_the_key(town: Lived) -> None:
    stains = {
        (stain["collection"], stain["id"], stain["kind"]): stain for found in town.stains.values() for stain in found
    }
    for entry in quarantine(town):
        stain = stains[entry["collection"], entry["id"], entry["reason"]]
        assert (entry["field"], entry["key"]) == (stain["field"], str(stain["key"]))


@pytest.mark.parametrize(
    ("collection", "table", "key"), [(PRODUCTS, PRODUCTS_TABLE, "product_id"), (BUYERS, BUYERS_TABLE, "account_id")]
)
def test_texts_of_the_catalogues_are_put_right_and_counted(town: Lived, collection: str, table: str, key: str) -> None:
    for day in DAYS:
        rows = {row[key]: row for row in town.ingestion.lake.read(table, [day]).to_pylist()}
        repairs: Counter[str] = Counter()
        for stain in town.standing[day]:
            column = stain["field"]
            if stain["collection"] == collection and stain["kind"] in REPAIRED and column in rows[stain["key"]]:
                assert rows[stain["key"]][column] == mended(ast.literal_eval(stain["value"]))
                repairs[f"{REPAIRED[stain['kind']]} {column}"] += 1
        assert dict(repairs) == town.facts[day].sources[collection].repairs


def test_kinds_with_blanks_around_them_are_put_right_and_counted(town: Lived) -> None:
    stains = [stain for stains in town.stains.values() for stain in stains if stain["kind"] == "white_space"]
    dirty = {stain["key"]: stain["value"] for stain in stains if stain["collection"] == INTERACTIONS}
    rows = town.ingestion.lake.read(REACTIONS, DAYS, ["interaction_id", "kind"]).to_pylist()
    found = {row["interaction_id"]: row["kind"] for row in rows if row["interaction_id"] in dirty}
    assert found == {key: mended(ast.literal_eval(value)) for key, value in dirty.items()}
    counted = sum(facts.sources[INTERACTIONS].repairs.get("white_space kind", 0) for facts in town.facts.values())
    assert counted == len(dirty)


def test_late_events_are_late_first_and_in_their_day_once_it_was_cleared(town: Lived) -> None:
    rows = town.ingestion.lake.read(REACTIONS, DAYS, ["dt", "interaction_id"]).to_pylist()
    day_of = {row["interaction_id"]: row["dt"] for row in rows}
    rejected = {entry["key"] for entry in quarantine(town)}
    for before, day in pairwise(DAYS):
        late = [stain["key"] for stain in town.stains[day] if stain["kind"] == "late"]
        assert {day_of[key] for key in late if key not in rejected} == {before}
        # One of them may be dirty as well, so that its own day is not known, or come twice.
        assert abs(town.late[before].events[INTERACTIONS] - len(late)) <= 2


def test_no_row_is_lost(town: Lived) -> None:
    for facts in town.facts.values():
        for source in facts.sources.values():
            assert source.rows_in == source.rows + source.quarantined + source.left_out
            assert sum(source.reasons.values()) == source.quarantined
    for collection in EVENT_SOURCES:
        documents = town.ingestion.state["marketplace"][collection].count_documents({})
        assert documents == sum(facts.sources[collection].raw["rows"] for facts in town.facts.values())


def test_every_product_of_a_clean_list_is_in_the_lake(town: Lived) -> None:
    dirty = {stain["id"] for stains in town.stains.values() for stain in stains if stain["collection"] == IMPRESSIONS}
    shown = {
        (entry["request_id"], item["product_id"], item["position"], item["base_score"])
        for entry in town.ingestion.state["marketplace"][IMPRESSIONS].find()
        if str(entry["_id"]) not in dirty
        for item in entry["items"]
    }
    rows = town.ingestion.lake.read(SHOWN, DAYS, ["request_id", "product_id", "position", "base_score"])
    found = set(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    assert shown <= found


def texts_of(path: Path) -> set[str]:
    """Everything a file of the lake says in words, its columns' names included."""
    if path.suffix != ".parquet":
        return {path.read_text(encoding="utf-8")}
    data = pq.read_table(path, partitioning=None)
    said = set(data.schema.names)
    for column in data.columns:
        flat = column.combine_chunks()
        while not pa.types.is_string(flat.type) and (pa.types.is_list(flat.type) or pa.types.is_struct(flat.type)):
            nested = pa.types.is_struct(flat.type)
            flat = pa.concat_arrays([part.cast(pa.string()) for part in flat.flatten()]) if nested else flat.flatten()
        said.update(map(str, flat.unique().to_pylist()))
    return said


@pytest.fixture(scope="module")
def whole_lake(town: Lived) -> Lived:
    """The town once its days are aggregated and built too."""
    settings = Settings(home=Path(town.ingestion.lake.root).parent)
    assert settings.lake_root == town.ingestion.lake.root
    for day in DAYS:
        aggregate_day(settings, day)
        build_features(settings, day)
    return town


def test_no_personal_field_or_value_is_in_any_file_of_the_lake_or_in_quarantine(whole_lake: Lived) -> None:
    town = whole_lake
    assert {"raw", "events", "daily", "features"} <= {table.partition("/")[0] for table in town.ingestion.lake.tables()}
    files = [path for path in Path(town.ingestion.lake.root).rglob("*") if path.is_file() and path.suffix != ".crc"]
    said = set[str]().union(*map(texts_of, files), map(repr, quarantine(town)))
    assert {"account_id", "address_city", "hà nội"} <= {text.casefold() for text in said}
    everything = "\n".join(sorted(said))
    assert not [name for name in PERSONAL if name in everything]
    for buyer in town.ingestion.state["marketplace"][BUYERS].find({}, dict.fromkeys(PERSONAL, 1)):
        values = {str(buyer[name]) for name in PERSONAL if buyer.get(name)}
        assert not values & said
        # Short names may well be part of a product's; the rest must not even be part of anything.
        assert not [value for value in values if len(value) > 9 and value in everything]
