"""Days lived into a real MongoDB: by any number of processes, killed and begun again, and never into the wrong one."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from tests.mongo_server import KEPT, emptied
from tests.running import wait_until

from rankloop.contracts.marketplace import COLLECTIONS, INDEXES
from rankloop.errors import RankloopError
from rankloop.mongo import MongoUnavailableError
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.loading import OtherWorldError, lived_days
from rankloop_demo.simulator.scenarios import Scenarios

pytestmark = pytest.mark.stack

Content = dict[str, list[Any]]


def content(uri: str) -> Content:
    """Every document of the marketplace, in the order of their identities."""
    with MongoClient[dict[str, Any]](uri) as client:
        return {name: list(client["marketplace"][name].find().sort("_id")) for name in COLLECTIONS}


def days_of(place: Marketplace, count: int) -> list[Any]:
    return [place.first_day + timedelta(days=number) for number in range(count)]


@pytest.fixture(scope="module")
def place(dirty_place: Marketplace) -> Marketplace:
    """Three blocks, so that processes have something to share."""
    return replace(dirty_place, scale=0.8)


def test_any_number_of_processes_gives_the_same_documents(place: Marketplace, mongo: str, tmp_path: Path) -> None:
    contents, truths = [], []
    for workers in (1, 2, 3):
        diary = Diary(emptied(mongo), tmp_path / str(workers), workers)
        reports = list(live_days(place, days_of(place, 2), diary))
        contents.append(content(mongo))
        truths.append({path.name: path.read_text() for path in diary.truth.iterdir()})
        assert sum(report.documents["impressions"] for report in reports) == len(contents[-1]["impressions"])
    assert place.blocks == 3
    assert contents[0] == contents[1] == contents[2]
    assert truths[0] == truths[1] == truths[2]


def test_a_simulation_killed_in_the_middle_of_a_day_ends_as_one_that_was_not(
    place: Marketplace, mongo: str, tmp_path: Path
) -> None:
    days = days_of(place, 3)
    list(live_days(place, days, Diary(mongo, tmp_path / "whole")))
    whole = content(mongo)
    emptied(mongo)
    code = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from rankloop_demo.simulator.history import Diary, live_days\n"
        "from rankloop_demo.simulator.living import Marketplace\n"
        f"first_day = date.fromisoformat('{place.first_day}')\n"
        f"place = Marketplace({place.seed}, {place.scale}, first_day, '{place.timezone}')\n"
        f"days = [date.fromisoformat(day) for day in {[day.isoformat() for day in days]}]\n"
        f"list(live_days(place, days, Diary('{mongo}', Path('{tmp_path / 'killed'}'))))"
    )
    with MongoClient[dict[str, Any]](mongo) as client:
        victim = subprocess.Popen([sys.executable, "-c", code])
        second_day = f"q{days[1]:%Y%m%d}"
        try:
            wait_until(
                lambda: client["marketplace"]["impressions"].find_one({"request_id": {"$gte": second_day}}),
                "documents of the second day",
            )
        finally:
            victim.kill()
            victim.wait()
        assert days[-1] not in lived_days(client)
    again = list(live_days(place, days, Diary(mongo, tmp_path / "killed")))
    assert again
    assert content(mongo) == whole
    assert not list((tmp_path / "killed").glob(".*"))


def test_days_that_are_there_are_not_lived_again(clean_place: Marketplace, mongo: str, tmp_path: Path) -> None:
    diary = Diary(mongo, tmp_path)
    assert len(list(live_days(clean_place, days_of(clean_place, 2), diary))) == 2
    assert [report.day for report in live_days(clean_place, days_of(clean_place, 3), diary)] == [
        clean_place.first_day + timedelta(days=2)
    ]


def test_the_truth_file_names_every_dirty_document(place: Marketplace, mongo: str, tmp_path: Path) -> None:
    (report,) = live_days(place, days_of(place, 1), Diary(mongo, tmp_path))
    lines = (tmp_path / f"{place.first_day}.jsonl").read_text(encoding="utf-8").splitlines()
    stains = [json.loads(line) for line in lines]
    assert len(stains) == report.dirty > 0
    found = content(mongo)
    for stain in stains:
        assert stain["id"] in {str(entry["_id"]) for entry in found[stain["collection"]]}


def test_a_day_and_a_buyer_are_read_by_index(clean_place: Marketplace, mongo: str, tmp_path: Path) -> None:
    list(live_days(clean_place, days_of(clean_place, 1), Diary(mongo, tmp_path)))
    with MongoClient[dict[str, Any]](mongo) as client:
        for collection, indexes in INDEXES.items():
            keys = {tuple(index["key"]) for index in client["marketplace"][collection].list_indexes()}
            assert set(indexes) <= keys


def test_days_of_another_world_are_refused(clean_place: Marketplace, mongo: str, tmp_path: Path) -> None:
    list(live_days(clean_place, days_of(clean_place, 1), Diary(mongo, tmp_path)))
    other = replace(clean_place, seed=99)
    with pytest.raises(OtherWorldError, match=r"seed = 7, not 99.*make clean"):
        list(live_days(other, days_of(other, 2), Diary(mongo, tmp_path)))


def test_a_real_shop_is_left_alone(clean_place: Marketplace, mongo: str, tmp_path: Path) -> None:
    def everything() -> dict[str, Any]:
        return {
            f"{name}.{collection}": (
                list(client[name][collection].list_indexes()),
                list(client[name][collection].find()),
            )
            for name in set(client.list_database_names()) - KEPT
            for collection in client[name].list_collection_names()
        }

    with MongoClient[dict[str, Any]](mongo) as client:
        client["marketplace"]["products"].insert_one({"product_id": 1})
        before = everything()
        with pytest.raises(OtherWorldError, match="already holds products that no simulator wrote"):
            list(live_days(clean_place, days_of(clean_place, 1), Diary(mongo, tmp_path)))
        assert everything() == before


def test_a_scenario_cannot_begin_in_the_past(clean_place: Marketplace, mongo: str, tmp_path: Path) -> None:
    days = days_of(clean_place, 2)
    list(live_days(clean_place, days, Diary(mongo, tmp_path)))
    early, later = (
        replace(clean_place, scenarios=Scenarios({"unit_bug": day})) for day in (days[1], days[1] + timedelta(1))
    )
    with pytest.raises(RankloopError, match=r"unit_bug.*begin on 2026-10-03 or later"):
        list(live_days(early, days_of(clean_place, 3), Diary(mongo, tmp_path)))
    assert len(list(live_days(later, days_of(clean_place, 3), Diary(mongo, tmp_path)))) == 1


def test_a_database_that_is_down_is_named(clean_place: Marketplace, tmp_path: Path) -> None:
    with pytest.raises(MongoUnavailableError, match=r"127\.0\.0\.1:1 does not answer.*make start"):
        list(live_days(clean_place, days_of(clean_place, 1), Diary("mongodb://x:secret@127.0.0.1:1", tmp_path)))


def test_a_folder_that_cannot_be_written_is_named(clean_place: Marketplace, mongo: str, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(RankloopError, match=r"home/truth, cannot be written: .*RANKLOOP_HOME"):
        list(live_days(clean_place, days_of(clean_place, 1), Diary(mongo, tmp_path / "home" / "truth")))
