"""What a day was begun with is what it is ended with: batches pinned in a real MongoDB, days killed and lived again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from tests.killing import Point
from tests.mongo_server import emptied
from tests.simulator.batches import oracle, publish
from tests.simulator.victims import diary_in, live_and_die

from rankloop.contracts.marketplace import COLLECTIONS, IMPRESSIONS
from rankloop.experiment import is_control
from rankloop_demo.simulator.history import live_days
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.loading import lived_days
from rankloop_demo.simulator.pinned_batches import BatchGoneError

pytestmark = pytest.mark.stack
spawn = get_context("spawn")

Content = dict[str, list[Any]]


@pytest.fixture(scope="module")
def place(clean_place: Marketplace) -> Marketplace:
    return replace(clean_place, dirt=True)


@pytest.fixture(scope="module")
def days(place: Marketplace) -> Sequence[date]:
    return [place.first_day + timedelta(days=number) for number in range(4)]


def content(uri: str) -> Content:
    with MongoClient[dict[str, Any]](uri) as client:
        return {name: list(client["marketplace"][name].find().sort("_id")) for name in COLLECTIONS}


def policies(uri: str, day: date) -> set[str]:
    with MongoClient[dict[str, Any]](uri) as client:
        found = client["marketplace"][IMPRESSIONS].find({"request_id": {"$regex": f"^q{day:%Y%m%d}"}})
        return {entry["policy"] for entry in found if "policy" in entry}


def publish_version(uri: str, place: Marketplace, day: date, version: int) -> None:
    """A batch of this version of a model, which knows the day."""
    # Versions differ in what they rank highest, or another batch would give the same documents.
    sign = 1 if version % 2 else -1
    publish(uri, f"{day}-v{version}", day, oracle(place, day, f"version {version}", sign))


@pytest.mark.parametrize(
    "point",
    [
        Point("rankloop_demo.simulator.loading:_insert", 1),
        Point("rankloop_demo.simulator.loading:_insert", 1, after=True),
        Point("rankloop_demo.simulator.loading:_replace", 1),
        Point("rankloop_demo.simulator.history:keep_for_tomorrow", 1, after=True),
        Point("rankloop_demo.simulator.history:record_day", 1),
    ],
    ids=str,
)
def test_a_day_killed_and_lived_again_shows_the_batch_that_it_was_begun_with(
    point: Point, place: Marketplace, days: Sequence[date], mongo: str, tmp_path: Path
) -> None:
    def loop(killed_at: Point | None) -> Content:
        diary = diary_in(emptied(mongo), tmp_path / str(killed_at))
        list(live_days(place, days[:1], diary))
        publish_version(mongo, place, days[0], 1)
        if killed_at:
            victim = spawn.Process(target=live_and_die, args=(place, days[1:2], diary, killed_at))
            victim.start()
            victim.join()
            assert victim.exitcode == -9
            # By the time that somebody lives the day again, another batch is live.
            publish_version(mongo, place, days[0], 2)
        list(live_days(place, days[1:2], diary))
        publish_version(mongo, place, days[1], 4)
        list(live_days(place, days[2:3], diary))
        return content(mongo)

    whole = loop(None)
    assert policies(mongo, days[1]) == {"base", "version 1"}
    assert policies(mongo, days[2]) == {"base", "version 4"}
    assert loop(point) == whole


def test_any_number_of_processes_gives_the_same_documents(
    dirty_place: Marketplace, days: Sequence[date], mongo: str, tmp_path: Path
) -> None:
    place = replace(dirty_place, scale=0.4)  # two blocks
    contents = []
    for workers in (1, 2):
        diary = diary_in(emptied(mongo), tmp_path / str(workers), workers)
        list(live_days(place, days[:1], diary))
        some = oracle(replace(place, scale=0.1), days[0])  # buyers and products of a smaller world do as well
        publish(mongo, "small", days[0], some)
        list(live_days(place, days[1:3], diary))
        contents.append(content(mongo))
    assert place.blocks == 2
    assert policies(mongo, days[1]) == {"base", "version 1"}
    assert contents[0] == contents[1]


def test_the_stable_half_of_buyers_stays_on_the_base_ranking(
    place: Marketplace, days: Sequence[date], mongo: str, tmp_path: Path
) -> None:
    list(live_days(place, days[:1], diary_in(mongo, tmp_path)))
    publish_version(mongo, place, days[0], 1)
    list(live_days(place, days[1:3], diary_in(mongo, tmp_path)))
    lists = [entry for entry in content(mongo)[IMPRESSIONS] if {"account_id", "items", "policy"} <= set(entry)]
    home = [entry for entry in lists if entry["surface"] == "home" and entry["request_id"] >= f"q{days[1]:%Y%m%d}"]
    control = is_control([int(entry["account_id"]) for entry in home], place.control_share)
    assert {entry["policy"] for entry, stays in zip(home, control, strict=True) if stays} == {"base"}
    assert {entry["policy"] for entry, stays in zip(home, control, strict=True) if not stays} == {"version 1"}
    assert 0.3 < control.mean() < 0.7


def test_a_batch_that_knows_the_day_is_not_shown_on_it(
    place: Marketplace, days: Sequence[date], mongo: str, tmp_path: Path
) -> None:
    list(live_days(place, days[:1], diary_in(mongo, tmp_path)))
    publish_version(mongo, place, days[1], 1)
    list(live_days(place, days[1:3], diary_in(mongo, tmp_path)))
    assert policies(mongo, days[1]) == {"base"}
    assert policies(mongo, days[2]) == {"base", "version 1"}
    with MongoClient[dict[str, Any]](mongo) as client:
        assert lived_days(client)[days[2]]["batch"] == f"{days[1]}-v1"


def test_a_day_is_refused_whose_batch_is_gone(
    place: Marketplace, days: Sequence[date], mongo: str, tmp_path: Path
) -> None:
    diary = diary_in(mongo, tmp_path)
    list(live_days(place, days[:1], diary))
    publish_version(mongo, place, days[0], 1)
    list(live_days(place, days[1:2], diary))
    batch = f"{days[0]}-v1"
    with MongoClient[dict[str, Any]](mongo) as client:
        client["rankloop"].drop_collection(f"recommendations__{batch}")
        publish_version(mongo, place, days[1], 3)
        client["simulator"]["days"].delete_one({"_id": days[1].isoformat()})
        # The day after needs what the day left, and not the batch.
        list(live_days(place, days[2:3], diary))
        with pytest.raises(BatchGoneError, match=f"{days[1]} was begun with the rankings of the batch {batch}"):
            list(live_days(place, days[1:2], diary))
        client["simulator"]["left_for_tomorrow"].delete_many({})
        client["simulator"]["days"].delete_one({"_id": days[2].isoformat()})
        with pytest.raises(BatchGoneError, match=f"what {days[1]} left for the day after it is not there"):
            list(live_days(place, days[2:3], diary))
